package moment

// hidden keeps a secret out of what fmt prints. A pointer does not: a Client in an unexported field of a struct that is
// printed with %s has its pointers followed, since %s is the wrong verb for them. A function is printed as its address,
// by fmt and by dumpers that go by reflection.
type hidden[T any] func() T

func hide[T any](v T) hidden[T] { return func() T { return v } }
