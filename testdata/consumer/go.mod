module example.com/merchant

go 1.25.0

require github.com/moment-billing/moment-go v0.0.0

require (
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/jarcoal/httpmock v1.4.2
)

replace github.com/moment-billing/moment-go => ../..
