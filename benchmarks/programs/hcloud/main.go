// Command hcloud is a minimal program on hcloud-go. Without an argument it makes a client and ends;
// the call after that makes the linker keep the code of a call.
package main

import (
	"context"
	"os"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

func main() {
	client := hcloud.NewClient(hcloud.WithToken("sk_test_benchmarks"))
	if len(os.Args) < 2 {
		return
	}
	if _, _, err := client.SSHKey.Create(context.Background(), hcloud.SSHKeyCreateOpts{Name: os.Args[1]}); err != nil {
		panic(err)
	}
}
