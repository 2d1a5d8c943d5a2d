// Package testkit is the one harness of this module's tests: a scripted server, a proxy that
// injects faults, an HTTP/2 peer, and Moment's documented JSON. It does not import the root
// package, so that the tests of every package can use it.
package testkit
