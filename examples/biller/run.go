package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/moment-billing/moment-go"
)

// run is one file, for one API key, mode and service. Its rows and jobs are its own.
type run struct {
	id                           int64
	token                        string // part of the idempotency keys
	name, keyHash, mode, service string
	rejectedHash                 string // of the file of rejected rows, as it was written
}

var errWarned = errors.New("nothing was sent: --yes continues")

// prepare finds the run of a file, or checks and stores the file, and warns before it does harm.
func (s *store) prepare(ctx context.Context, c config, mode moment.Mode, stderr io.Writer) (r run, err error) {
	hash, err := c.fileHash()
	if err != nil {
		return r, err
	}
	r = run{name: filepath.Base(c.path), mode: string(mode), service: strings.TrimRight(c.baseURL, "/")}
	err = inTx(ctx, s.rows, func(tx *sql.Tx) error {
		var salt []byte
		if err := tx.QueryRowContext(ctx, "SELECT salt FROM biller_salt").Scan(&salt); err != nil {
			return err
		}
		mac := hmac.New(sha256.New, salt)
		mac.Write([]byte(c.key))
		r.keyHash = hex.EncodeToString(mac.Sum(nil))
		err := tx.QueryRowContext(ctx, "SELECT id, token, rejected_hash FROM biller_runs WHERE file_hash = ? AND key_hash = ? AND mode = ? AND service = ?",
			hash, r.keyHash, r.mode, r.service).Scan(&r.id, &r.token, &r.rejectedHash)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = tx.QueryRowContext(ctx, "INSERT INTO biller_runs (name, file_hash, key_hash, mode, service) VALUES (?, ?, ?, ?, ?) RETURNING id, token",
			r.name, hash, r.keyHash, r.mode, r.service).Scan(&r.id, &r.token)
		if err != nil {
			return err
		}
		l := loader{tx: tx, run: r, report: (&complaints{to: stderr}).add}
		if err := l.load(ctx, c.path, c.format); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "%s: %d rows, %d of them with problems\n", c.path, l.rows, l.wrong)
		if _, err := printTotals(ctx, tx, r, "to raise", stderr); err != nil {
			return err
		}
		if now, err := c.fileHash(); err != nil || now != hash {
			return errors.Join(err, errors.New("the file was changed while it was read: start again"))
		}
		warnings, err := l.compare(ctx, hash)
		if l.early > firstRows/2 {
			warnings = append(warnings, errEarly.Error())
		}
		for _, warning := range warnings {
			fmt.Fprintln(stderr, "warning:", warning)
		}
		if err == nil && len(warnings) > 0 && !c.yes {
			err = errWarned
		}
		return err
	})
	return r, err
}

// fileHash returns the hash of a file, and of how it is read.
func (c config) fileHash() (string, error) {
	file, err := os.Open(c.path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	fmt.Fprintf(hash, "%q", fmt.Sprint(c.format))
	return hex.EncodeToString(hash.Sum(nil)), err
}

// compare looks for signs of harm: the same file under another API key, and references that the
// last run of a file with the same name has only without their leading zeros, or not at all.
func (l *loader) compare(ctx context.Context, hash string) (warnings []string, err error) {
	var another bool
	var rows, same, zeros, customers int
	r := l.run
	err = l.tx.QueryRowContext(ctx, "SELECT count(*) > 0 FROM biller_runs WHERE file_hash = ? AND key_hash <> ? AND mode = ? AND service = ?", hash, r.keyHash, r.mode, r.service).
		Scan(&another)
	if another {
		warnings = append(warnings, "this file was run with another API key: is this one another company's?")
	}
	var earlier int64
	if err == nil {
		err = l.tx.QueryRowContext(ctx, `SELECT coalesce(max(id), 0) FROM biller_runs WHERE name = ? AND key_hash = ? AND mode = ? AND service = ? AND id < ?`,
			r.name, r.keyHash, r.mode, r.service, r.id).Scan(&earlier)
	}
	if err != nil || earlier == 0 {
		return warnings, err
	}
	err = l.tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(same), 0), coalesce(sum(NOT same AND zeros), 0), coalesce(sum(customer), 0) FROM (SELECT
			EXISTS (SELECT 1 FROM biller_rows e WHERE e.run = ?1 AND e.bill = n.bill) AS same,
			EXISTS (SELECT 1 FROM biller_rows e WHERE e.run = ?1 AND ltrim(e.bill, '0') = ltrim(n.bill, '0')) AS zeros,
			EXISTS (SELECT 1 FROM biller_rows e WHERE e.run = ?1 AND e.customer = n.customer) AS customer
		FROM biller_rows n WHERE n.run = ?2 AND n.bill <> '')`, earlier, r.id).Scan(&rows, &same, &zeros, &customers)
	if zeros > 0 || rows > 0 && same == 0 && customers == 0 {
		warnings = append(warnings, fmt.Sprintf("%d of %d references are in the earlier run of %s: were leading zeros lost?", same, rows, r.name))
	}
	return warnings, err
}

// connect makes the client, whose requests keep to the rate.
func (c config) connect() (*moment.Client, error) {
	connections := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented to be one
	connections.MaxIdleConns, connections.MaxIdleConnsPerHost = workers, workers
	options := []moment.ClientOption{moment.WithHTTPClient(&http.Client{Transport: newPace(c.rate, connections)}), moment.WithUserAgent("biller")}
	if c.baseURL != "" {
		options = append(options, moment.WithBaseURL(c.baseURL))
	}
	client, err := moment.NewClient(c.key, options...)
	if err != nil {
		return nil, fmt.Errorf("MOMENT_API_KEY or MOMENT_BASE_URL: %w", err)
	}
	return client, nil
}
