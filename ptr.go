package moment

// Ptr returns a pointer to a copy of v, for the fields of update params. From Go 1.26 on, new(v)
// does the same.
func Ptr[T any](v T) *T { return &v }
