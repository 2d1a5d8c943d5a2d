package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/moment-billing/moment-go/momenttest"
)

// stateFile is a journal on disk. Only one process at a time can open it. Each change adds a line.
// At the start and after a reset, one object replaces all lines.
type stateFile struct {
	path   string
	lock   *os.File // beside it, as the file itself is replaced
	secret string   // of webhooks, to be kept in it
	fail   func(error)

	mu       sync.Mutex
	written  sync.Cond
	file     *os.File // nil until Replace: nothing is written before the state is complete
	end      int64    // of the complete objects in the file; a truncated one may follow
	pending  []byte   // lines that are not in the file yet
	appended int      // how many changes there were
	synced   int      // how many of them are on the disk
	writing  bool
}

var errLocked = errors.New("in use by another moment-mock: stop that, or choose another file")

// openStateFile locks a state file, and reads it if it exists. It does not change a file that it
// cannot read.
func openStateFile(path string, fail func(error)) (f *stateFile, kept contents, found bool, err error) {
	// Links are resolved, so that the file is replaced and not the link, and so that all names
	// share one lock.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	} else if _, err := os.Lstat(path); err == nil {
		return nil, contents{}, false, errors.New("a link to a file that is not there: create the file, or remove the link")
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, contents{}, false, fmt.Errorf("%w: its folder must exist, and moment-mock must be allowed to write to it", err)
	}
	f = &stateFile{path: path, lock: lock, fail: fail}
	f.written.L = &f.mu
	if err = lockFile(lock); err == nil {
		kept, found, err = f.read()
	}
	if err != nil {
		f.close()
		return nil, contents{}, false, err
	}
	return f, kept, found, nil
}

// close unlocks the file. It does not remove the lock's file, because another process may have
// opened it.
func (f *stateFile) close() {
	if f.file != nil {
		_ = f.file.Close()
	}
	_ = f.lock.Close()
}

// read does not find anything in an empty file, such as one that was made to be mounted.
func (f *stateFile) read() (kept contents, found bool, err error) {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return contents{}, false, nil
	case err != nil:
		return contents{}, false, err
	case !info.Mode().IsRegular():
		return contents{}, false, errors.New("not a regular file: pass the path of a file, which need not exist yet")
	}
	file, err := os.Open(f.path)
	if err != nil {
		return contents{}, false, err
	}
	defer func() { _ = file.Close() }()
	kept, f.end, found, err = readContents(file)
	switch {
	case errors.Is(err, errVersion):
		return contents{}, false, fmt.Errorf("%w, and left unchanged: move the file away to start without data", err)
	case err != nil:
		return contents{}, false, fmt.Errorf("invalid, and left unchanged: %w: move the file away to start without data", err)
	case found && kept.WebhookSecret != "":
		if err := checkSecret(kept.WebhookSecret); err != nil {
			return contents{}, false, fmt.Errorf("invalid, and left unchanged: webhook_secret: %w: move the file away to start without data", err)
		}
	}
	return kept, found, nil
}

// Append implements momenttest.Journal.
func (f *stateFile) Append(changed momenttest.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		f.append(contents{State: changed})
	}
}

func (f *stateFile) append(c contents) {
	line, err := json.Marshal(c)
	if err != nil {
		f.fail(err)
		return
	}
	f.pending = append(append(f.pending, line...), '\n')
	f.appended++
}

// Replace implements momenttest.Journal. If the file cannot be replaced, because it is mounted
// alone into a container, Replace appends.
func (f *stateFile) Replace(all momenttest.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.writing {
		f.written.Wait()
	}
	if f.file != nil {
		_ = f.file.Close() // because Windows does not replace an open file
	}
	f.pending = nil
	f.append(contents{Version: version, WebhookSecret: f.secret, State: all})
	replaced := f.replace(f.pending) == nil
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err == nil && f.file == nil && !replaced {
		err = file.Truncate(f.end)
		f.pending = append([]byte("\n"), f.pending...) // because the old text may not end with one
	}
	if err != nil {
		f.fail(err)
		return
	}
	f.file = file
	if replaced {
		f.pending, f.synced = nil, f.appended
	}
	f.written.Broadcast()
}

// replace replaces the file in one step. If the process or the machine fails, the file has either
// the old text or the new one.
func (f *stateFile) replace(text []byte) error {
	temporary := f.path + ".tmp" // always this one, so that the next write removes one that a killed process left
	_ = os.Remove(temporary)
	file, err := os.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	// Renamed before it is on the disk, it could be empty after a power failure.
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path); err != nil {
		_ = os.Remove(temporary)
		return err
	}
	f.end = int64(len(text)) // of the new file, which is in place even if its folder cannot be synced
	return syncFolder(filepath.Dir(f.path))
}

// Sync implements momenttest.Journal. The first caller writes the pending lines of all callers, so
// that concurrent changes share one write to the disk.
func (f *stateFile) Sync() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for mine := f.appended; f.synced < mine; {
		if f.writing {
			f.written.Wait()
			continue
		}
		lines, upTo, file := f.pending, f.appended, f.file
		f.pending, f.writing = nil, true
		f.mu.Unlock()
		_, err := file.Write(lines)
		if err == nil {
			err = file.Sync()
		}
		f.mu.Lock()
		if err != nil {
			f.fail(err) // which ends the process, because no response may report a change that is not stored
		}
		f.writing, f.synced = false, upTo
		f.written.Broadcast()
	}
}
