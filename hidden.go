package moment

// hidden keeps what holds the key out of what fmt and dumpers print. A pointer does not: where a
// Client is in an unexported field of a struct that is printed with %s, fmt follows its pointers,
// since %s is the wrong verb for them; dumpers that go by reflection follow all, as far as into the
// buffers of the connections. A function is printed as its address.
type hidden func() *core

func hide(c *core) hidden { return func() *core { return c } }

// core is what is hidden, or an error for the zero Client or a zero service.
func (h hidden) core() (*core, *ArgumentError) {
	if h == nil {
		return nil, badArgument("client", "was not made by NewClient")
	}
	return h(), nil
}

func (h hidden) String() string {
	if h == nil {
		return "moment.Client"
	}
	return h().String()
}
