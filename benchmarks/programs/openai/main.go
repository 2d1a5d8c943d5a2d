// Command openai is a minimal program on openai-go. Without an argument it makes a client and ends;
// the call after that makes the linker keep the code of a call.
package main

import (
	"context"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	client := openai.NewClient(option.WithAPIKey("sk_test_benchmarks"))
	if len(os.Args) < 2 {
		return
	}
	if _, err := client.VectorStores.New(context.Background(), openai.VectorStoreNewParams{Name: openai.String(os.Args[1])}); err != nil {
		panic(err)
	}
}
