package moment_test

import (
	"fmt"

	"github.com/moment-billing/moment-go"
)

func ExampleCheckReference() {
	fmt.Println(moment.CheckReference("UBR1234567890"))
	fmt.Println(moment.CheckReference("UBR 1234567890"))
	// Output:
	// <nil>
	// moment: check reference: reference: must not contain ' ' (U+0020): an external reference has only a-z, A-Z, 0-9, "_" and "-"
}
