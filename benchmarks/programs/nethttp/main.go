// Command nethttp is a minimal program on net/http and encoding/json. Without an argument it ends
// at once; the call after that makes the linker keep the code of a call.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
)

func main() {
	client := &http.Client{}
	if len(os.Args) < 2 {
		return
	}
	body, err := json.Marshal(struct {
		Name string `json:"name"`
	}{os.Args[1]})
	if err != nil {
		panic(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://api.momentpay.net/billing/customers", bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var customer struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&customer); err != nil {
		panic(err)
	}
}
