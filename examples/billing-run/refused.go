package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The columns that the file of refused rows has more than the input. They are not read when it is fed back.
const (
	columnLine = "refused_line"
	columnWhy  = "refused_why"
)

// writeRefused makes the file of refused rows, from nothing but the journal: so each is in it once, however often the run was
// killed. It takes the place of an older one in one go.
func writeRefused(path string, j *journal, header []string) (err error) {
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
	out := csv.NewWriter(temp)
	row := func(cells []string, line, why string) error {
		var kept []string // all columns but those of an earlier refusal
		for i, name := range header {
			if name != columnLine && name != columnWhy {
				kept = append(kept, append(cells, make([]string, len(header))...)[i]) // a broken row has its text in the first
			}
		}
		return out.Write(append(kept, line, why))
	}
	if err := row(header, columnLine, columnWhy); err != nil {
		return err
	}
	_, err = scan(j.file, func(line []byte) error {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.Outcome != refused {
			return err
		}
		return row(e.Cells, strconv.Itoa(e.Line), e.Why)
	})
	out.Flush()
	if err := errors.Join(err, out.Error(), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// besides returns the name of the file of refused rows: bills.refused.csv for bills.csv.
func besides(path string) string {
	extension := filepath.Ext(path)
	return strings.TrimSuffix(path, extension) + ".refused" + extension
}
