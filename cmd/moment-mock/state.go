package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moment-billing/moment-go/momenttest"
)

// version is that of a state file's form.
const version = 2

// contents is what a state file holds.
type contents struct {
	Version       int              `json:"version"`
	WebhookSecret string           `json:"webhook_secret"`
	State         momenttest.State `json:"state"`
}

// stateFile is a file that one process at a time has open.
type stateFile struct {
	path string
	lock *os.File // beside it, as the file itself is replaced
}

var errLocked = errors.New("in use by another moment-mock")

// openStateFile locks a state file, and reads what is in it if there is one. What it cannot read it
// leaves as it is.
func openStateFile(path string, into *contents) (*stateFile, error) {
	// The file that is meant is replaced, not a link to it; and the lock is the same by any name.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	} else if _, err := os.Lstat(path); err == nil {
		return nil, errors.New("a link to a file that is not there")
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f := &stateFile{path, lock}
	err = lockFile(lock)
	if err == nil {
		err = f.read(into)
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// close lets another process have the file. The lock's file stays: somebody may have opened it by
// now.
func (f *stateFile) close() { _ = f.lock.Close() }

func (f *stateFile) read(into *contents) error {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a regular file")
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	// Before all else: another version may have other members.
	var found struct {
		Version int `json:"version"`
	}
	err = json.Unmarshal(text, &found)
	switch {
	case err != nil:
		return fmt.Errorf("broken, and left as it is: %w", err)
	case found.Version != version:
		return fmt.Errorf("not of version %d, and left as it is: move it away to begin anew", version)
	}
	if err := decode(bytes.NewReader(text), into); err != nil {
		return fmt.Errorf("broken, and left as it is: %w", err)
	}
	if err := checkSecret(into.WebhookSecret); err != nil {
		return fmt.Errorf("broken, and left as it is: webhook_secret: %w", err)
	}
	return nil
}

// write replaces the file as a whole: whenever the process or the machine ends, there is either
// what was or what is to be.
func (f *stateFile) write(c contents) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	temporary := f.path + ".tmp" // always this one: what a killed process leaves behind goes with the next write
	_ = os.Remove(temporary)
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	// Renamed before it is on the disk, it could be empty after a power failure.
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(f.path))
}
