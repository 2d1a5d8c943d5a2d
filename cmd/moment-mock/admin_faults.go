package main

import (
	"github.com/moment-billing/moment-go/momenttest"
)

func (m *mock) getFaults(*adminRequest) (any, *rejection) {
	return map[string]any{"faults": append([]momenttest.Fault{}, m.fake.Faults()...)}, nil
}

func (m *mock) postFault(r *adminRequest) (any, *rejection) {
	var f momenttest.Fault
	if rejected := r.decode(&f); rejected != nil {
		return nil, rejected
	}
	m.fake.Fail(f)
	return m.getFaults(r)
}

func (m *mock) deleteFaults(*adminRequest) (any, *rejection) {
	m.fake.ClearFaults()
	return nil, nil
}
