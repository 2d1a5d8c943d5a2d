package transport

// retryable reports whether an attempt that ended as o may be followed by another without a risk of applying the
// call twice. mayBeRunning says that an earlier copy of the request may still be at work in the service.
func retryable(repeat Repeat, o outcome, mayBeRunning bool) bool {
	switch o.kind {
	case notConnected:
		return true
	case silent, cut:
		return repeat != Once
	case notJSON:
		return repeat == Safe || repeat == Keyed && !o.replayed // a saved answer would be the same again
	case answered:
		return retryableStatus(repeat, o, mayBeRunning)
	default:
		return false // trying again would end the same way, or the caller has given up
	}
}

func retryableStatus(repeat Repeat, o outcome, mayBeRunning bool) bool {
	if o.replayed && repeat != Safe {
		return false // the service will give the same answer for as long as it keeps the key
	}
	switch o.status {
	case 429:
		return true
	case 409:
		// The first copy may hold the key. A true conflict is saved under the key, comes back replayed and stops.
		return repeat == Keyed && mayBeRunning
	case 503:
		// With Retry-After it is a refusal before processing, so even a PATCH was not applied.
		return repeat != Once || o.retryAfter.given
	case 408:
		return repeat != Once
	case 501, 505:
		return false // it never will be supported
	default:
		return o.status >= 500 && repeat != Once
	}
}
