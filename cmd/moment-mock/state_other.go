//go:build !unix || aix || solaris

package main

import "os"

// lockFile does not lock: package syscall has no lock for these systems that would end with the
// process. That two processes have one state file is then not noticed.
func lockFile(*os.File) error { return nil }

// syncFolder does not sync, because Windows cannot sync a folder.
func syncFolder(string) error { return nil }
