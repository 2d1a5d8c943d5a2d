package main

import (
	"context"
	"fmt"
	"net/http"
)

// measureCalls compares one create and one get, one after the other.
func measureCalls(s settings) ([]table, error) {
	inMemory, err := pairOfCalls(s, "in memory", "The transport responds without a socket, so only the work of the client is measured. Transports and clients are net/http's.",
		func(k sdk) (client, error) { return k.open("http://127.0.0.1", memory(k.response)) })
	if err != nil {
		return nil, err
	}
	server, err := startService(plain)
	if err != nil {
		return nil, err
	}
	onLoopback, err := pairOfCalls(s, "on loopback", "Over HTTP/1.1 to another process on the same machine, with each client's default transport. The connection is already open.",
		func(k sdk) (client, error) { return k.open(server.url, nil) })
	if _, stopErr := server.stop(); err == nil {
		err = stopErr
	}
	for i, what := range []string{"one create", "one get"} {
		inMemory[i] = inMemory[i].inSummary(what + " in memory")
	}
	return append(inMemory, onLoopback...), err
}

func pairOfCalls(s settings, where, note string, open func(sdk) (client, error)) ([]table, error) {
	var creates, gets []contender
	for _, k := range sdks {
		c, err := open(k)
		if err != nil {
			return nil, err
		}
		creates = append(creates, contender{k.name, checked(c.create, k.id)})
		gets = append(gets, contender{k.name, checked(c.get, k.id)})
	}
	create, err := measure(s, creates)
	if err != nil {
		return nil, err
	}
	get, err := measure(s, gets)
	return []table{
		timesTable("One create "+where, note, create),
		timesTable("One get "+where, note, get),
	}, err
}

// checked fails if a call does not return the id in the response, because the call was then not
// made or not decoded.
func checked(call func(context.Context) (string, error), id string) func() error {
	return func() error {
		got, err := call(context.Background())
		if err == nil && got != id {
			err = fmt.Errorf("got %q instead of %q", got, id)
		}
		return err
	}
}

// tuned is http.DefaultTransport with enough idle connections for that many callers.
func tuned(callers int) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // nothing here replaces it
	t.MaxIdleConns = callers
	t.MaxIdleConnsPerHost = callers
	return t
}
