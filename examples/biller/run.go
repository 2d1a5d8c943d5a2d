package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/moment-billing/moment-go"
)

// The outcomes of a row. A bill is found if an earlier run raised it, or an attempt whose response
// was lost. SQL sets the outcome "duplicate" if a row is the same as an earlier one.
const (
	raised   = "raised"
	found    = "found"
	rejected = "rejected"
)

// The first hundred rows are a sample. A new run stops if more than half of them are rejected,
// because the file may be misread. A sample of fewer than minSample rows is ignored, because it is
// too small.
const (
	lastEarly = 101 // because the header is line 1
	minSample = 10
)

var (
	errEarly  = errors.New("more than half of the first hundred rows are rejected: check the flags for the file")
	errWarned = exitError{errors.New("nothing was sent: check the warnings, and add --yes to continue"), exitUsage}
)

// These statements join the rows of a run by their id only. PostgreSQL has no statistics about a
// new run, and with another join it may compare each row with all others.

// twice settles the rows whose bill_reference occurs twice. All of them are rejected if their
// contents differ, because nobody knows which is right. An invalid row counts as different, because
// its content is not known.
const twice = `
UPDATE biller_rows SET
	outcome = CASE WHEN o.other IS NULL THEN 'duplicate' ELSE 'rejected' END,
	params = NULL, cells = CASE WHEN o.other IS NOT NULL THEN cells END,
	reason = CASE WHEN o.other IS NULL THEN 'is the same as line ' || o.first || ': the bill is raised once'
		ELSE 'bill_reference is on line ' || CASE WHEN hash = o.usual THEN o.other ELSE o.first END
			|| ' too, with different content: remove the wrong row, or change its reference' END
FROM (
	SELECT id, first, usual, min(line) FILTER (WHERE hash <> usual) OVER (PARTITION BY bill) AS other
	FROM (SELECT id, line, bill, hash, min(line) OVER bills AS first, first_value(hash) OVER (bills ORDER BY line) AS usual
		FROM biller_rows WHERE run = $1 WINDOW bills AS (PARTITION BY bill)) r) o
WHERE o.id = biller_rows.id AND outcome IS NULL AND (o.other > 0 OR o.first < line)`

// differing reports customers with several names or e-mail addresses, on the first row of each.
const differing = `
UPDATE biller_rows SET reason = ltrim(reason || '; customer_reference has another name or e-mail address on line ' || o.line
	|| ': check both. A row is rejected if its customer has another name at Moment, unless the row or Moment has no name', '; ')
FROM (
	SELECT min(id) AS id, min(line) FILTER (WHERE customer <> usual) AS line
	FROM (SELECT id, line, person, customer, first_value(customer) OVER (PARTITION BY person ORDER BY id) AS usual
		FROM biller_rows WHERE run = $1 AND outcome IS NULL) r
	GROUP BY person) o
WHERE o.id = biller_rows.id AND o.line > 0`

// A warning is the result of one of these queries, which otherwise return no row.
const (
	anotherKey = `
SELECT 'rows with the same content were raised with another API key (rows: ' || count(*) || ', the first on line ' || min(line)
	|| '): check that this key belongs to the right company'
FROM biller_rows n JOIN biller_runs own ON own.id = n.run
WHERE run = $1 AND outcome IS NULL AND EXISTS (
	SELECT 1 FROM biller_rows e JOIN biller_runs r ON r.id = e.run WHERE e.bill_bare = n.bill_bare AND e.hash = n.hash
		AND e.outcome IN ('raised', 'found') AND r.key_hash <> own.key_hash AND (r.mode, r.service) = (own.mode, own.service))
HAVING count(*) > 0`

	// lostZeros finds references that earlier runs have with other leading zeros. It compares each
	// with an earlier valid row of the same form, if there is one, otherwise with the first other
	// valid row, and otherwise with the first rejected one. %[1]s is their column, and %[2]s is its
	// name in the file.
	lostZeros = `
SELECT '%[2]s has other leading zeros than in an earlier file (rows: ' || sum(rows) || ', the first on line ' || min(line)
	|| '): check whether they were lost'
FROM (SELECT %[1]s, %[1]s_bare, count(*) AS rows, min(line) AS line FROM biller_rows WHERE run = $1 AND outcome IS NULL GROUP BY 1, 2) n
WHERE %[1]s <> (SELECT e.%[1]s FROM biller_rows e JOIN biller_runs r ON r.id = e.run WHERE e.%[1]s_bare = n.%[1]s_bare AND e.run < $1
		AND (r.key_hash, r.mode, r.service) = (SELECT key_hash, mode, service FROM biller_runs WHERE id = $1)
	ORDER BY CASE WHEN outcome = 'rejected' THEN 2 WHEN e.%[1]s = n.%[1]s THEN 0 ELSE 1 END, e.run, e.line LIMIT 1)
HAVING count(*) > 0`

	// nothingShared compares the run with the last one of the same name that has a valid row.
	nothingShared = `
SELECT '0 of ' || count(*) || ' references are in the earlier run of ' || max(earlier.name) || ': check whether leading zeros were lost. '
	|| 'If this is a different file, include its date in its name'
FROM (SELECT r.id, r.name FROM biller_runs own JOIN biller_runs r ON r.id < own.id
		AND (r.name, r.key_hash, r.mode, r.service) = (own.name, own.key_hash, own.mode, own.service)
	WHERE own.id = $1 AND EXISTS (SELECT id FROM biller_rows WHERE run = r.id AND coalesce(outcome, '') <> 'rejected')
	ORDER BY r.id DESC LIMIT 1) earlier CROSS JOIN biller_rows
WHERE run = $1 AND outcome IS NULL
	AND NOT EXISTS (SELECT bill FROM biller_rows WHERE run = $1 AND outcome IS NULL INTERSECT SELECT bill FROM biller_rows WHERE run = earlier.id)
	AND NOT EXISTS (SELECT person FROM biller_rows WHERE run = $1 AND outcome IS NULL INTERSECT SELECT person FROM biller_rows WHERE run = earlier.id)
HAVING count(*) > 0`
)

// run is one file for one API key, mode and service. It has its own rows and jobs.
type run struct {
	id                           int64
	token                        string // part of the idempotency keys
	name, keyHash, mode, service string
	header, comma                string // of the file; the header as JSON
	sample, early                int    // the number of first rows, and the number of rejected ones among them
}

// tooManyEarly reports whether too many of the first rows are rejected.
func (r run) tooManyEarly() bool { return r.sample >= minSample && r.early > r.sample/2 }

// prepare returns the run of a file with this hash. It loads the file if it is new, and returns
// errWarned if the file may do harm.
func (s *store) prepare(ctx context.Context, c config, hash string, mode moment.Mode, stderr io.Writer) (r run, err error) {
	r, err = s.owner(ctx, c, mode)
	if err != nil {
		return r, err
	}
	file, err := open(c.input)
	if err != nil {
		return r, err
	}
	defer func() { _ = file.file.Close() }()
	header, _ := json.Marshal(file.header) //nolint:errchkjson // texts
	err = inTx(ctx, s.rows, nil, func(tx *sql.Tx) error {
		token := rand.Text() // of a new run
		err := tx.QueryRowContext(ctx, `INSERT INTO biller_runs (file_hash, key_hash, mode, service, name, token, header, comma)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (file_hash, key_hash, mode, service) DO UPDATE SET mode = excluded.mode
			RETURNING id, token, header, comma`,
			hash, r.keyHash, r.mode, r.service, r.name, token, string(header), file.comma).
			Scan(&r.id, &r.token, &r.header, &r.comma)
		if err != nil || r.token != token { // only a new run is loaded and compared
			return err
		}
		if _, err := r.load(ctx, tx, file, stderr); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE outcome = 'rejected')
			FROM biller_rows WHERE run = $1 AND line <= $2`, r.id, lastEarly).Scan(&r.sample, &r.early)
		if err != nil {
			return err
		}
		var warning string
		for _, query := range []string{
			anotherKey, fmt.Sprintf(lostZeros, "bill", "bill_reference"), fmt.Sprintf(lostZeros, "person", "customer_reference"), nothingShared,
		} {
			if err := each(ctx, tx, []any{&warning}, func() { fmt.Fprintln(stderr, "warning:", warning) }, query, r.id); err != nil {
				return err
			}
		}
		if r.tooManyEarly() {
			warning = errEarly.Error()
			fmt.Fprintln(stderr, "warning:", warning)
		}
		if warning != "" && !c.Yes {
			return errWarned
		}
		return nil
	})
	return r, err
}

// owner returns a run without a file, whose fields identify the shared queue. The hash of the API
// key is salted, because more people can read a database than an API key.
func (s *store) owner(ctx context.Context, c config, mode moment.Mode) (r run, err error) {
	var salt string
	err = inTx(ctx, s.rows, nil, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO biller_salt (id, salt) VALUES (1, $1)
			ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING salt`, rand.Text()).Scan(&salt)
	})
	service := strings.TrimRight(c.baseURL, "/")
	return run{name: filepath.Base(c.input.File), keyHash: hashOf(salt, c.key), mode: string(mode), service: service}, err
}

// fileHash returns a hash of the file and of the flags that say how to read it.
func (c config) fileHash() (string, error) {
	file, err := os.Open(c.input.File)
	if err != nil {
		return "", exitError{err, exitUsage}
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil { // for example, it is a folder
		return "", exitError{err, exitUsage}
	}
	fmt.Fprintf(hash, "%q", fmt.Sprint(c.input.format))
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// load stores all rows of a file before anything is sent, because a later row may show that the
// file is misread. It prints the problems and the totals.
func (r run) load(ctx context.Context, tx *sql.Tx, file *reader, out io.Writer) (counts map[string]int, err error) {
	err = file.eachRow(func(b row) error {
		var outcome any
		var params []byte
		cells, err := json.Marshal(b.cells)
		if len(b.problems) > 0 {
			outcome = rejected
		} else if err == nil {
			params, err = json.Marshal(b.bill)
		}
		if err != nil {
			return err
		}
		who := b.Customer
		_, err = tx.ExecContext(ctx, `INSERT INTO biller_rows
			(run, line, hash, bill, bill_bare, person, person_bare, customer, amount, currency, cells, params, outcome, reason)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			r.id, b.line, hashOf(string(params)), b.Reference, bare(b.Reference), hashOf(who.ExternalReference), hashOf(bare(who.ExternalReference)),
			hashOf(who.ExternalReference, who.Name, who.Email), int64(b.Money.Amount), string(b.Money.Currency),
			string(cells), string(params), outcome, strings.Join(append(b.problems, b.warnings...), "; "))
		return err
	})
	for _, statement := range []string{twice, differing} {
		if err == nil {
			_, err = tx.ExecContext(ctx, statement, r.id)
		}
	}
	if err != nil {
		return nil, err
	}
	var line int
	var outcome, reason string
	err = each(ctx, tx, []any{&line, &outcome, &reason}, func() {
		fmt.Fprintf(out, "line %d, %s: %s\n", line, outcome, reason)
	}, "SELECT line, coalesce(outcome, 'note'), reason FROM biller_rows WHERE run = $1 AND reason <> '' ORDER BY id", r.id)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "%s:\n", file.file.Name())
	return r.printTotals(ctx, tx, "to raise", out)
}

// bare returns a reference without leading zeros. One of zeros is a single zero.
func bare(reference string) string {
	return cmp.Or(strings.TrimLeft(reference, "0"), reference[:min(len(reference), 1)])
}

// check loads the file into a temporary store.
func check(ctx context.Context, c config, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "biller")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := openStore(ctx, filepath.Join(dir, "check.db"))
	if err != nil {
		return err
	}
	defer s.close()
	return inTx(ctx, s.rows, nil, func(tx *sql.Tx) error {
		file, err := open(c.input)
		if err != nil {
			return err
		}
		counts, err := run{}.load(ctx, tx, file, stdout)
		if err == nil && counts[rejected] > 0 {
			err = fmt.Errorf("rows with problems: %d", counts[rejected])
		}
		return err
	})
}
