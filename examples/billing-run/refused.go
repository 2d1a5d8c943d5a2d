package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The columns that the file of refused rows has more than the input. They are not read when it is
// fed back.
const (
	columnLine = "refused_line"
	columnWhy  = "refused_why"
)

// writeRefused makes the file of refused rows, from nothing but the journal: so each is in it once,
// however often the run was killed. It takes the place of an older one in one go, unless somebody
// has changed that.
func writeRefused(path string, j *journal, in *input) (err error) {
	if err := checkRefused(path, j); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	hash := sha256.New()
	to := bufio.NewWriter(io.MultiWriter(temp, hash))
	_, _ = to.WriteString(in.mark) // out.Error tells of it
	out := csv.NewWriter(to)
	row := func(cells []string, line, why string) error {
		var kept []string // all columns but those of an earlier refusal
		for i, name := range in.header {
			if name != columnLine && name != columnWhy {
				kept = append(kept, append(cells, make([]string, len(in.header))...)[i]) // a broken row has its text in the first
			}
		}
		return out.Write(append(kept, line, why))
	}
	if err := row(in.header, columnLine, columnWhy); err != nil {
		return err
	}
	_, err = scan(j.file, func(line []byte) error {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.Outcome != refused {
			return err
		}
		var cells []string
		for _, cell := range e.Cells {
			cells = append(cells, string(cell))
		}
		return row(cells, strconv.Itoa(e.Line), e.Why)
	})
	out.Flush()
	if err := errors.Join(err, out.Error(), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := j.note(hex.EncodeToString(hash.Sum(nil))); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// checkRefused is an error if the file of refused rows cannot be written, or must not: it may have
// been corrected since, or be somebody's other file.
func checkRefused(path string, j *journal) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return tryFolder(path)
	}
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	switch err := errors.Join(err, file.Close()); {
	case err != nil:
		return err
	case !j.wrote[hex.EncodeToString(hash.Sum(nil))]:
		return fmt.Errorf("%s is not as this run wrote it: if you have corrected it, run that file by itself; give this run another --refused", path)
	}
	return tryFolder(path)
}

// tryFolder is an error if no file can be made beside this one.
func tryFolder(path string) error {
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	return errors.Join(temp.Close(), os.Remove(temp.Name()))
}

// besides returns the name of the file of refused rows: bills.refused.csv for bills.csv.
func besides(path string) string {
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + ".refused" + extension
}
