package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Where there is no terminal, there is a line now and then; on one, a bar, which complaints do not
// run into.
func TestScreen(t *testing.T) {
	p := newProgress(position{})
	p.count[raised], p.done.Offset = 7, 50

	var lines strings.Builder
	s := newScreen(&lines, 100, false)
	s.show(p)
	s.shown = s.shown.Add(-lineEvery)
	s.show(p)
	s.show(p)
	s.complain("refused: line 2")
	s.close()
	assert.Equal(t, "50 %: 7 raised, 0 already there, 0 refused, 0 open\nrefused: line 2\n", lines.String())

	var terminal strings.Builder
	s = newScreen(&terminal, 100, true)
	s.show(p)
	s.complain("refused: line 2")
	s.close()
	assert.Contains(t, terminal.String(), "7 raised, 0 already there, 0 refused, 0 open")
	assert.Contains(t, terminal.String(), "\rrefused: line 2\n")
	assert.True(t, strings.HasSuffix(strings.TrimRight(terminal.String(), " "), "\r"), "the report begins at the left")
}
