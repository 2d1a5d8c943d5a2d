package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// .ci/run finds an outdated api/exported.txt too, but maintainers run the tests first.
func TestExportedIsCurrent(t *testing.T) {
	if _, err := os.Stat(root + "/momentotel"); os.IsNotExist(err) {
		t.Skip("a download of this module does not contain the nested modules")
	}
	want, err := exported()
	require.NoError(t, err)
	got, err := os.ReadFile(root + "/api/exported.txt")
	require.NoError(t, err)
	assert.True(t, want == string(got), "api/exported.txt is out of date: run go generate ./... and review the diff") //nolint:testifylint // Equal would print both in full
}
