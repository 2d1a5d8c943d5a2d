package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDemo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Setenv("DATABASE_URL", "postgres://u:p@localhost/d") // is not used
	var stdout, stderr strings.Builder
	assert.Equal(t, exitDone, start(t.Context(), []string{"demo", "600"}, &stdout, &stderr), stderr.String())
	assert.Contains(t, stdout.String(), "The fake has 599 bills of ZAR 7782.00, each exactly once.")
	left, err := os.ReadDir(os.TempDir())
	assert.NoError(t, err)
	assert.Empty(t, left)
}
