// Package integration contains the tests of moment-go that need foreign code. It is a nested
// module, so that moment-go does not require that code.
package integration
