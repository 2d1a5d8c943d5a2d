//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package main

import "os"

// lock does nothing here: do not start two runs with the same journal.
func lock(*os.File) error { return nil }
