package integration_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// customerCreator is the part of package moment that a merchant's code needs.
type customerCreator interface {
	Create(ctx context.Context, params moment.CustomerCreateParams, opts ...moment.RequestOption) (*moment.Customer, error)
}

var _ customerCreator = (*moment.CustomersService)(nil)

type customersMock struct{ mock.Mock }

func (m *customersMock) Create(ctx context.Context, params moment.CustomerCreateParams, opts ...moment.RequestOption) (*moment.Customer, error) {
	args := m.Called(ctx, params, opts)
	return args.Get(0).(*moment.Customer), args.Error(1)
}

// A mock of testify compares params, and accepts any options, because they cannot be compared.
func TestDouble(t *testing.T) {
	double := new(customersMock)
	double.On("Create", mock.Anything, moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "John Doe"}, mock.Anything).
		Return(&moment.Customer{ID: "bcus_1", ExternalReference: "UCR1"}, nil)

	var service customerCreator = double
	customer, err := service.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "John Doe"}, moment.WithIdempotencyKey("key-1"))
	require.NoError(t, err)
	assert.Equal(t, "bcus_1", customer.ID)
	double.AssertExpectations(t)
	assert.False(t, assert.ObjectsAreEqual(moment.WithIdempotencyKey("key-1"), moment.WithIdempotencyKey("key-1")), "equal options do not compare as equal")
}
