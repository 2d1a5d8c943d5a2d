package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// program is one of the programs in the folder programs.
type program struct {
	name   string
	folder string
}

var programs = []program{
	{floorName, "nethttp"},
	{ourName, "moment"},
	{stripeName, "stripe"},
	{openaiName, "openai"},
	{paddleName, "paddle"},
	{hcloudName, "hcloud"},
}

// measurePrograms compares the size and the starting time of programs that make one kind of call.
func measurePrograms(s settings) ([]table, error) {
	chosen := programs
	if s.few {
		chosen = programs[:2]
	}
	dir, err := os.MkdirTemp("", "moment-benchmarks")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, p := range chosen {
		build := exec.CommandContext(context.Background(), "go", "build", "-ldflags=-s -w", "-trimpath", "-o", dir, "./programs/"+p.folder)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("build %s: %w", p.folder, err)
		}
	}
	starts, err := measureStarts(s, dir, chosen)
	if err != nil {
		return nil, err
	}
	t := table{
		title: "A minimal program",
		note: "The program makes a client, and one create if it has an argument. It is built with -ldflags=\"-s -w\" -trimpath, started without an argument, and timed until it ends. " +
			"The modules are those that are linked, including the SDK's own.",
		header: []string{"", "size", "more than the first", "modules", "start", "ratio"},
	}
	var first float64
	for i, p := range chosen {
		file := filepath.Join(dir, p.folder)
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		build, err := buildinfo.ReadFile(file)
		if err != nil {
			return nil, err
		}
		megabytes := float64(info.Size()) / 1e6
		if i == 0 {
			first = megabytes
		}
		t.rows = append(t.rows, []string{
			p.name,
			fmt.Sprintf("%.2f MB", megabytes),
			fmt.Sprintf("%.2f MB", megabytes-first),
			strconv.Itoa(len(build.Deps)),
			nanoseconds(starts[i].nanoseconds),
			fmt.Sprintf("%.2f", starts[i].ratio),
		})
		text := fmt.Sprintf("%.2f MB", megabytes-first)
		switch {
		case i == 0:
		case p.name == ourName:
			t.summary[1] = fmt.Sprintf("%s, start %.2f", text, starts[i].ratio)
		default:
			t.summary[2] = joined(t.summary[2], p.name+" "+text)
		}
	}
	t.summary[0] = "a minimal program, more than one on net/http"
	return []table{t}, nil
}

// measureStarts starts the programs in turns.
func measureStarts(s settings, dir string, chosen []program) ([]measurement, error) {
	samples := make([][]float64, len(chosen))
	for round := range s.starts {
		for turn := range chosen {
			i := (round + turn) % len(chosen)
			start := time.Now()
			if err := exec.CommandContext(context.Background(), filepath.Join(dir, chosen[i].folder)).Run(); err != nil {
				return nil, fmt.Errorf("start %s: %w", chosen[i].folder, err)
			}
			samples[i] = append(samples[i], float64(time.Since(start)))
		}
	}
	starts := make([]measurement, len(chosen))
	for i := range chosen {
		starts[i].nanoseconds = medianOf(s.starts, func(round int) float64 { return samples[i][round] })
		starts[i].ratio = medianOf(s.starts, func(round int) float64 { return samples[i][round] / samples[0][round] })
	}
	return starts, nil
}
