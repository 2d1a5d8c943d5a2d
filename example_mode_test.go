package moment_test

import (
	"fmt"
	"log"

	"github.com/moment-billing/moment-go"
)

// A program in production rejects a test key, and a program elsewhere rejects a live key.
func ExampleClient_Mode() {
	production := false // as configured
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY")
	if err != nil {
		log.Fatal(err)
	}
	if production != (client.Mode() == moment.ModeLive) {
		log.Fatalf("a key for %s mode", client.Mode())
	}
	fmt.Println(client.Mode())
	// Output: test
}
