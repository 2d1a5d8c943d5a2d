// Package api contains the descriptions of the API in OpenAPI 3.1, for programs that serve or read
// them.
package api

import _ "embed" // for the descriptions

// OpenAPI is openapi.yaml: the service as this module understands it.
//
//go:embed openapi.yaml
var OpenAPI string

// Mock is mock.yaml: the admin API of moment-mock.
//
//go:embed mock.yaml
var Mock string
