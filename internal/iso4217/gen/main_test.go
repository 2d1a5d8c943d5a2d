package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	tests := []struct {
		name               string
		why                string
		current, withdrawn []currencyCode
		table              []currencyCode
		redundant          []string
		errs               []string
	}{
		{
			name:      "both lists",
			why:       "the table is sorted",
			current:   []currencyCode{{"ZAR", 2}, {"JPY", 0}},
			withdrawn: []currencyCode{{"HRK", 2}},
			table:     []currencyCode{{"HRK", 2}, {"JPY", 0}, {"ZAR", 2}},
		},
		{
			name:      "current again, same decimals",
			why:       "harmless, but the line is redundant",
			current:   []currencyCode{{"ZWL", 2}},
			withdrawn: []currencyCode{{"ZWL", 2}},
			table:     []currencyCode{{"ZWL", 2}},
			redundant: []string{"ZWL"},
		},
		{
			name:      "current again, other decimals",
			why:       "one of the two would change amounts by powers of ten",
			current:   []currencyCode{{"ZWL", 0}},
			withdrawn: []currencyCode{{"ZWL", 2}},
			errs:      []string{"ZWL has 2 decimals in withdrawn.go, but 0 in list one"},
		},
		{
			name:      "withdrawn twice, other decimals",
			why:       "an error in the reviewed list",
			withdrawn: []currencyCode{{"HRK", 2}, {"HRK", 0}},
			errs:      []string{"HRK has 0 decimals"},
		},
		{
			name:    "current twice",
			why:     "the form of the source has changed",
			current: []currencyCode{{"ZAR", 2}, {"ZAR", 2}},
			errs:    []string{"ZAR is in list one twice"},
		},
		{
			name:      "several problems",
			why:       "no minor unit, not a code, and an impossible exponent",
			current:   []currencyCode{{"XAU", 2}, {"zar", 2}},
			withdrawn: []currencyCode{{"ABC", 5}},
			errs:      []string{"XAU has no minor unit", `"zar" is not an alphabetic code`, "ABC has 5 decimals"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table, redundant, err := merge(tt.current, tt.withdrawn)
			if len(tt.errs) > 0 {
				if err == nil {
					t.Fatalf("no error (%s)", tt.why)
				}
				for _, want := range tt.errs {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q does not contain %q (%s)", err, want, tt.why)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(table, tt.table) || !slices.Equal(redundant, tt.redundant) {
				t.Errorf("got %v and %v, want %v and %v (%s)", table, redundant, tt.table, tt.redundant, tt.why)
			}
		})
	}
}

// The committed table must be the output of the generator.
func TestTableIsCurrent(t *testing.T) {
	table, redundant, err := merge(current(), withdrawn)
	if err != nil {
		t.Fatal(err)
	}
	if len(redundant) > 0 {
		t.Errorf("redundant lines in withdrawn.go: %v", redundant)
	}
	want, err := render(table)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../table.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("table.go is out of date: run go generate ./internal/iso4217")
	}
}
