package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// contender does the same work as the others of a table, in its own way.
type contender struct {
	name string
	run  func() error // one operation; an error if its result is wrong
}

// measurement is a contender's medians over the rounds.
type measurement struct {
	name        string
	nanoseconds float64
	ratio       float64 // to the first contender's time in the same round
	allocations float64
	bytes       float64
}

// measure runs the contenders in turns. Other programs disturb all contenders of a round, so ratios
// within a round are more reliable than times. The order rotates, because caches depend on it.
func measure(s settings, contenders []contender) ([]measurement, error) {
	n := make([]int, len(contenders))
	for i, c := range contenders {
		var err error
		if n[i], err = calibrate(c, s.slice); err != nil {
			return nil, err
		}
	}
	samples := make([][]sample, len(contenders))
	for round := range s.rounds {
		for turn := range contenders {
			i := (round + turn) % len(contenders)
			taken, err := take(contenders[i], n[i])
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], taken)
		}
	}
	measurements := make([]measurement, len(contenders))
	for i, c := range contenders {
		measurements[i] = measurement{
			name:        c.name,
			nanoseconds: medianOf(s.rounds, func(round int) float64 { return samples[i][round].nanoseconds }),
			ratio:       medianOf(s.rounds, func(round int) float64 { return samples[i][round].nanoseconds / samples[0][round].nanoseconds }),
			allocations: medianOf(s.rounds, func(round int) float64 { return samples[i][round].allocations }),
			bytes:       medianOf(s.rounds, func(round int) float64 { return samples[i][round].bytes }),
		}
	}
	return measurements, nil
}

// sample is one turn of a contender, per operation.
type sample struct{ nanoseconds, allocations, bytes float64 }

// calibrate finds how many operations fill a slice. The first ones only warm up: a reflecting
// encoder takes milliseconds to look at its types.
func calibrate(c contender, slice time.Duration) (int, error) {
	const warmUp = 10
	if _, err := take(c, warmUp); err != nil {
		return 0, err
	}
	for n := 1; ; n *= 2 {
		taken, err := take(c, n)
		if err != nil {
			return 0, err
		}
		if taken.nanoseconds*float64(n) >= float64(slice)/2 {
			return max(1, int(float64(slice)/taken.nanoseconds)), nil
		}
	}
}

func take(c contender, n int) (sample, error) {
	runtime.GC() // no contender pays for the garbage of another
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range n {
		if err := c.run(); err != nil {
			return sample{}, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return sample{
		nanoseconds: float64(took) / float64(n),
		allocations: float64(after.Mallocs-before.Mallocs) / float64(n),
		bytes:       float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, nil
}

func medianOf(n int, value func(int) float64) float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = value(i)
	}
	slices.Sort(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
