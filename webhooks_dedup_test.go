package moment_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// A MemoryDeduplicator copies its keys, because they outlive the request.
func TestMemoryDeduplicatorCopiesItsKeys(t *testing.T) {
	d := moment.NewMemoryDeduplicator(time.Hour)
	processed := 0
	process := func(context.Context) error { processed++; return nil }
	for range 2 {
		id := reused("msg_1")
		require.NoError(t, d.Once(t.Context(), id.string(), process))
		id.overwrite()
	}
	assert.Equal(t, 1, processed)
}

func mustNotRun(context.Context) error { panic("called") }

func TestMemoryDeduplicator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := moment.NewMemoryDeduplicator(time.Hour)
		runs := 0
		once := func(id string, err error) error {
			return d.Once(t.Context(), id, func(context.Context) error {
				runs++
				return err
			})
		}
		failed := errors.New("failed")
		assert.Equal(t, failed, once("msg_1", failed))
		assert.NoError(t, once("msg_1", nil), "a failed message is processed again")
		assert.NoError(t, once("msg_1", failed), "a processed message is not")
		assert.NoError(t, once("msg_2", nil), "another message")
		assert.Equal(t, 3, runs)

		time.Sleep(time.Hour - time.Nanosecond)
		assert.NoError(t, once("msg_1", failed), "until the window ends")
		assert.Equal(t, 3, runs)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, failed, once("msg_1", failed), "then it is forgotten")
		assert.Equal(t, 4, runs)
		assert.NoError(t, once("msg_1", nil))
		assert.NoError(t, once("msg_3", nil), "which forgets the expired messages, and not this one again")
		assert.NoError(t, once("msg_1", failed))
		assert.Equal(t, 6, runs)

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 {
			assert.NoError(t, d.Once(ended, "msg_1", mustNotRun), "the result is returned although the context has ended")
		}
		assert.Equal(t, "moment.MemoryDeduplicator", fmt.Sprintf("%+v", d))
	})
}

// Of concurrent deliveries, one is processed, and the others return its result.
func TestMemoryDeduplicatorAtOnce(t *testing.T) {
	for _, row := range []struct {
		why string
		end func() error
		is  string // empty for success
	}{
		{"success", func() error { return nil }, ""},
		{"failure", func() error { return errors.New("the ledger is closed") }, "the ledger is closed"},
		{"panic", func() error { panic("no such table") }, "moment: the processing of the webhook did not return"},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := moment.NewMemoryDeduplicator(time.Hour)
			errs := make(chan error, 10)
			go func() {
				defer func() { _ = recover() }()
				_ = d.Once(t.Context(), "msg_1", func(context.Context) error {
					time.Sleep(time.Minute)
					return row.end()
				})
			}()
			synctest.Wait()
			for range cap(errs) {
				go func() {
					errs <- d.Once(t.Context(), "msg_1", func(context.Context) error { return errors.New("ran twice") })
				}()
			}
			synctest.Wait()
			assert.Empty(t, errs, "they wait")

			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			assert.ErrorIs(t, d.Once(impatient, "msg_1", mustNotRun), context.DeadlineExceeded, "until their context ends")
			assert.NoError(t, d.Once(t.Context(), "msg_2", func(context.Context) error { return nil }), "other messages do not")

			time.Sleep(time.Minute)
			synctest.Wait()
			require.Len(t, errs, cap(errs))
			for range cap(errs) {
				if err := <-errs; row.is == "" {
					assert.NoError(t, err, row.why)
				} else {
					assert.EqualError(t, err, row.is, row.why)
				}
			}
		})
	}
}

// A full MemoryDeduplicator processes no other message, because late is better than twice.
func TestMemoryDeduplicatorFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := moment.NewMemoryDeduplicator(time.Hour)
		runs := 0
		process := func(context.Context) error {
			runs++
			return nil
		}
		id := func(n int) string { return "msg_" + strconv.Itoa(n) }
		for n := range 100_000 {
			require.NoError(t, d.Once(t.Context(), id(n), process))
		}
		require.Equal(t, 100_000, runs)
		require.EqualError(t, d.Once(t.Context(), "one more", process), "moment: the deduplicator is full: it contains 100,000 messages")
		assert.NoError(t, d.Once(t.Context(), id(0), process), "a remembered message is not processed again")
		assert.Equal(t, 100_000, runs)

		time.Sleep(time.Hour)
		assert.NoError(t, d.Once(t.Context(), "one more", process))
		assert.Equal(t, 100_001, runs)
	})
}

// Messages in progress count too, because a flood of slow messages would use all memory.
func TestMemoryDeduplicatorFullOfRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := moment.NewMemoryDeduplicator(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		hang := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		for n := range 100_000 {
			go func() { _ = d.Once(ctx, strconv.Itoa(n), hang) }()
		}
		synctest.Wait()
		assert.ErrorContains(t, d.Once(ctx, "one more", hang), "is full")
		cancel()
		synctest.Wait()
		assert.NoError(t, d.Once(t.Context(), "one more", func(context.Context) error { return nil }), "a failed message is not remembered")
	})
}

func TestMemoryDeduplicatorNeedsAWindow(t *testing.T) {
	for _, window := range []time.Duration{0, -1, 24, time.Second - 1} {
		assert.Panics(t, func() { moment.NewMemoryDeduplicator(window) })
	}
}
