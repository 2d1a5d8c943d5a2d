// Package integration holds the tests of moment-go that need foreign code. It is a module of its
// own, so that none of what they need is required by moment-go.
package integration
