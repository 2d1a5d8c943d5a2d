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

// The first hundred rows are a sample. A run stops if more than half of them are rejected, because
// the file may be misread. A sample of fewer than minSample rows is ignored, because it is too
// small.
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
// contents differ, because nobody knows which is right.
const twice = `
UPDATE biller_rows SET
	outcome = CASE WHEN o.same THEN 'duplicate' ELSE 'rejected' END,
	params = NULL, cells = CASE WHEN NOT o.same THEN cells END,
	reason = CASE WHEN o.same THEN 'is the same as line ' || o.first || ': the bill is raised once'
		ELSE 'bill_reference is on line ' || CASE WHEN line = o.first THEN o.last ELSE o.first END
			|| ' too, with different content: remove the wrong row' END
FROM (
	SELECT id, min(line) OVER bills AS first, max(line) OVER bills AS last, min(hash) OVER bills = max(hash) OVER bills AS same
	FROM biller_rows WHERE run = $1 AND outcome IS NULL WINDOW bills AS (PARTITION BY bill)) o
WHERE o.id = biller_rows.id AND o.first < o.last AND (NOT o.same OR o.first < line)`

// differing reports customers with several names or e-mail addresses, on their first row.
const differing = `
UPDATE biller_rows SET reason =
	ltrim(reason || '; customer_reference is on other lines with other names or e-mail addresses: check which is right', '; ')
FROM (SELECT min(id) AS id FROM biller_rows WHERE run = $1 AND outcome IS NULL GROUP BY person HAVING min(customer) <> max(customer)) o
WHERE o.id = biller_rows.id`

// known copies the ids of customers from earlier runs, which saves requests.
const known = `
UPDATE biller_rows SET customer_id = coalesce((
	SELECT k.customer_id FROM biller_rows k JOIN biller_runs r ON r.id = k.run
	WHERE k.customer = biller_rows.customer AND k.customer_id <> '' AND (r.key_hash, r.mode, r.service) = ($2, $3, $4) LIMIT 1), '')
WHERE run = $1 AND outcome IS NULL`

// run is one file for one API key, mode and service. It has its own rows and jobs.
type run struct {
	id                           int64
	token                        string // part of the idempotency keys
	name, keyHash, mode, service string
	header, comma                string // of the file; the header as JSON
	rejectedFile, rejectedHash   string // the path of the file of rejected rows, and a hash of its content
	sample, early                int    // the number of first rows, and the number of rejected ones among them
}

// prepare returns the run of a file with this hash. It loads the file if it is new, and returns
// errWarned if the file may do harm.
func (s *store) prepare(ctx context.Context, c config, hash string, mode moment.Mode, stderr io.Writer) (r run, err error) {
	r, err = s.owner(ctx, c, mode)
	if err != nil {
		return r, err
	}
	err = inTx(ctx, s.rows, nil, func(tx *sql.Tx) error {
		token := rand.Text() // of a new run
		err := tx.QueryRowContext(ctx, `INSERT INTO biller_runs (file_hash, key_hash, mode, service, name, token) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (file_hash, key_hash, mode, service) DO UPDATE SET mode = excluded.mode
			RETURNING id, token, header, comma, rejected_file, rejected_hash`,
			hash, r.keyHash, r.mode, r.service, r.name, token).Scan(&r.id, &r.token, &r.header, &r.comma, &r.rejectedFile, &r.rejectedHash)
		isNew := r.token == token
		if err == nil && isNew {
			_, err = r.load(ctx, tx, c, stderr)
		}
		if err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE outcome = 'rejected')
			FROM biller_rows WHERE run = $1 AND line <= $2`, r.id, lastEarly).Scan(&r.sample, &r.early)
		if err != nil {
			return err
		}
		var warnings []string
		if isNew {
			warnings, err = r.compare(ctx, tx, hash)
		}
		if r.tooManyEarly() {
			warnings = append(warnings, errEarly.Error())
		}
		for _, warning := range warnings {
			fmt.Fprintln(stderr, "warning:", warning)
		}
		if err == nil && len(warnings) > 0 && !c.Yes {
			err = errWarned
		}
		return err
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
func (r *run) load(ctx context.Context, tx *sql.Tx, c config, out io.Writer) (counts map[string]int, err error) {
	file, err := open(c.input)
	if err != nil {
		return nil, err
	}
	header, _ := json.Marshal(file.header) //nolint:errchkjson // texts
	r.header, r.comma = string(header), file.comma
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
	if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE biller_runs SET header = $1, comma = $2 WHERE id = $3", r.header, r.comma, r.id)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, twice, r.id)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, differing, r.id)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, known, r.id, r.keyHash, r.mode, r.service)
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
	fmt.Fprintf(out, "%s:\n", c.input.File)
	counts, err = r.printTotals(ctx, tx, "to raise", out)
	if err == nil && len(counts) == 0 {
		fmt.Fprintln(out, "  no rows")
	}
	return counts, err
}

// lostZeros finds references that earlier runs have only with other leading zeros.
const lostZeros = `
SELECT count(*), coalesce(min(line), 0)
FROM (SELECT %[1]s, %[1]s_bare, min(line) AS line FROM biller_rows WHERE run = $1 AND outcome IS NULL GROUP BY 1, 2) n
WHERE (SELECT max(CASE WHEN e.%[1]s = n.%[1]s THEN 1 ELSE 0 END) = 0 FROM biller_rows e JOIN biller_runs r ON r.id = e.run
	WHERE e.%[1]s_bare = n.%[1]s_bare AND e.run < $1 AND (r.key_hash, r.mode, r.service) = ($2, $3, $4))`

// tooManyEarly reports whether too many of the first rows are rejected.
func (r run) tooManyEarly() bool { return r.sample >= minSample && r.early > r.sample/2 }

// bare returns a reference without leading zeros, unless it is all zeros.
func bare(reference string) string { return cmp.Or(strings.TrimLeft(reference, "0"), reference) }

// compare returns a warning in three cases. The same file was run with another API key. References
// have other leading zeros in earlier files. An earlier file of the same name has no reference in
// common with this one.
func (r run) compare(ctx context.Context, tx *sql.Tx, hash string) (warnings []string, err error) {
	var another bool
	var earlier, rows, zeros, line int
	err = tx.QueryRowContext(ctx, `SELECT
			count(*) FILTER (WHERE file_hash = $1 AND key_hash <> $2
				AND EXISTS (SELECT 1 FROM biller_rows WHERE run = biller_runs.id AND customer_id <> '')) > 0,
			coalesce(max(CASE WHEN name = $3 AND key_hash = $2 THEN id END), 0)
		FROM biller_runs WHERE (mode, service) = ($4, $5) AND id < $6`,
		hash, r.keyHash, r.name, r.mode, r.service, r.id).Scan(&another, &earlier)
	if err != nil {
		return nil, err
	}
	if another {
		warnings = append(warnings, "this file was run with another API key: check that this key belongs to the right company")
	}
	for column, name := range map[string]string{"bill": "bill_reference", "person": "customer_reference"} {
		err := tx.QueryRowContext(ctx, fmt.Sprintf(lostZeros, column), r.id, r.keyHash, r.mode, r.service).Scan(&zeros, &line)
		if err != nil {
			return nil, err
		}
		if zeros > 0 {
			warnings = append(warnings, fmt.Sprintf(
				"%s has other leading zeros than in an earlier file (rows: %d, the first on line %d): check whether they were lost", name, zeros, line))
		}
	}
	if earlier == 0 {
		return warnings, nil
	}
	var shared bool
	err = tx.QueryRowContext(ctx, `SELECT count(*),
			EXISTS (SELECT bill FROM biller_rows WHERE run = $1 AND outcome IS NULL INTERSECT SELECT bill FROM biller_rows WHERE run = $2)
			OR EXISTS (SELECT person FROM biller_rows WHERE run = $1 AND outcome IS NULL INTERSECT SELECT person FROM biller_rows WHERE run = $2)
		FROM biller_rows WHERE run = $1 AND outcome IS NULL`, r.id, earlier).Scan(&rows, &shared)
	if rows > 0 && !shared {
		warnings = append(warnings, fmt.Sprintf("0 of %d references are in the earlier run of %s: check whether leading zeros were lost. "+
			"If this is a different file, include its date in its name", rows, r.name))
	}
	return warnings, err
}

// printTotals prints and returns the number of rows with each outcome, and prints their amounts.
// open is the name of rows without an outcome. Rejected rows have no total, because their amounts
// may be wrong.
func (r run) printTotals(ctx context.Context, tx *sql.Tx, open string, out io.Writer) (map[string]int, error) {
	counts := map[string]int{}
	var outcome string
	var n int
	var money moment.Money
	return counts, each(ctx, tx, []any{&outcome, &money.Currency, &n, &money.Amount}, func() {
		counts[outcome] += n
		total := ""
		if outcome != rejected {
			total = money.String()
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-9s %7d  %s", outcome, n, total), " "))
	}, `SELECT coalesce(outcome, $1), CASE WHEN outcome = 'rejected' THEN '' ELSE currency END, count(*), sum(amount)
		FROM biller_rows WHERE run = $2 GROUP BY 1, 2 ORDER BY 1, 2`, open, r.id)
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
		counts, err := new(run).load(ctx, tx, c, stdout)
		if err == nil && counts[rejected] > 0 {
			err = fmt.Errorf("rows with problems: %d", counts[rejected])
		}
		return err
	})
}
