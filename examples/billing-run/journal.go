package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/moment-billing/moment-go"
)

// outcome is what became of a row.
type outcome string

const (
	raised  outcome = "raised"
	there   outcome = "already there" // with the same content, so there is nothing to do
	refused outcome = "refused"       // for good: the row has to be corrected
	open    outcome = "open"          // unknown, or not raised for a reason that is not the row's; the next start settles it
)

// entry is what the journal keeps of a row. For those that are done that is where they stand and
// how much they are about; only what has to be shown at the end is kept in full.
type entry struct {
	At       position        `json:"at"`   // where the row begins in the input
	Next     position        `json:"next"` // where the row after it does
	Outcome  outcome         `json:"outcome"`
	Amount   moment.Amount   `json:"amount,omitempty"` // of raised and already there
	Currency moment.Currency `json:"currency,omitempty"`
	Line     int             `json:"line,omitempty"`  // of refused and open
	Why      string          `json:"why,omitempty"`   // of refused and open
	Cells    [][]byte        `json:"cells,omitempty"` // of refused. Bytes: JSON would replace those that are not UTF-8
	Wrote    string          `json:"wrote,omitempty"` // instead of all else: the SHA-256 of a file of refused rows
}

// subject is what a journal is about. A journal of another file, or of test mode, must not keep
// bills from being raised.
type subject struct {
	Input    string          `json:"input"` // SHA-256 of the file
	Currency moment.Currency `json:"currency,omitempty"`
	Service  string          `json:"service"`
	Mode     moment.Mode     `json:"mode"`
}

// journal is a file to which a line is added for each row that is done. The lines are what is known
// after a restart: progress is nothing but their sum.
//
// A line is written when the outcome is known, in one write, and so outlives the end of the
// process. A crash of the machine can take the lines of the last second. Rows without a line are
// sent again, under the same idempotency keys.
type journal struct {
	file   *os.File
	synced time.Time
	failed error // why a line was not written: it may be half there, and all behind it would be cut off with it

	progress progress
	added    int             // entries of rows since the journal was opened
	wrote    map[string]bool // the files of refused rows that were made of it
}

const syncEvery = time.Second

// openJournal reads a journal, or begins one. What follows the first line that is not whole is cut
// off: a crash tore it.
func openJournal(path string, s subject, start position) (j *journal, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // there may be names in it
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	if err := lock(file); err != nil {
		return nil, fmt.Errorf("%s: another run is using it: %w", path, err)
	}
	j = &journal{file: file, progress: newProgress(start), wrote: map[string]bool{}}
	var about *subject
	rows := 0
	whole, err := scan(file, func(line []byte) error {
		if about == nil {
			return json.Unmarshal(line, &about)
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		if e.Wrote != "" {
			j.wrote[e.Wrote] = true
			return nil
		}
		j.progress.add(e)
		rows++
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case about != nil && *about != s && rows == 0: // it keeps no bill from being raised: the address was wrong, say
		about, whole = nil, 0
	case about != nil && *about != s:
		return nil, fmt.Errorf("%s is the journal of %s: use another --journal, or remove it to begin anew", path, difference(*about, s))
	case about == nil && !begun(file, s):
		return nil, fmt.Errorf("%s is not a journal: use another --journal", path)
	}
	if err := errors.Join(file.Truncate(whole), seekTo(file, whole)); err != nil {
		return nil, err
	}
	if about == nil {
		return j, j.write(s)
	}
	return j, nil
}

// begun reports whether a file without a whole line holds nothing but the beginning of a journal:
// else it is somebody's, and is not to be cut off.
func begun(file *os.File, s subject) bool {
	first, err := line(s)
	if err != nil {
		return false
	}
	text := make([]byte, len(first)+1)
	n, err := file.ReadAt(text, 0)
	return errors.Is(err, io.EOF) && bytes.HasPrefix(first, text[:n])
}

func difference(was, is subject) string {
	switch {
	case was.Mode != is.Mode:
		return "a run in " + string(was.Mode) + " mode"
	case was.Service != is.Service:
		return "a run against " + was.Service
	case was.Currency != is.Currency:
		return "a run with another --currency"
	default:
		return "another file, or the input has been changed since"
	}
}

func seekTo(file *os.File, offset int64) error {
	_, err := file.Seek(offset, io.SeekStart)
	return err
}

// scan gives the lines of a journal to a function, as far as they are whole, and returns how many
// bytes those have. A line has its checksum in front.
func scan(file *os.File, each func(line []byte) error) (whole int64, err error) {
	if err := seekTo(file, 0); err != nil {
		return 0, err
	}
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return whole, nil
		case err != nil:
			return whole, err
		}
		sum, text, found := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		if !found || string(sum) != checksum(text) {
			return whole, nil
		}
		if err := each(text); err != nil {
			return whole, err
		}
		whole += int64(len(line))
	}
}

func checksum(text []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)) }

// add keeps the outcome of a row.
func (j *journal) add(e entry) error {
	if err := j.write(e); err != nil {
		return err
	}
	j.progress.add(e)
	j.added++
	if time.Since(j.synced) < syncEvery {
		return nil
	}
	j.synced = time.Now()
	return j.file.Sync()
}

// note keeps which file of refused rows is about to be written, so that it is told later from one
// that was corrected.
func (j *journal) note(sha256 string) error {
	j.wrote[sha256] = true
	return errors.Join(j.write(entry{Wrote: sha256}), j.file.Sync())
}

func (j *journal) write(v any) error {
	if j.failed != nil {
		return j.failed
	}
	text, err := line(v)
	if err != nil {
		return err
	}
	_, j.failed = j.file.Write(text)
	return j.failed
}

// line is the form in which scan reads v.
func line(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return fmt.Appendf(nil, "%s %s\n", checksum(text), text), err
}

func (j *journal) close() error { return errors.Join(j.file.Sync(), j.file.Close()) }
