package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const callers = 256

// measureLoad compares the throughput of simultaneous callers, and the connections that they open.
func measureLoad(s settings) ([]table, error) {
	contenders := append([]sdk{{
		name: tunedName,
		id:   sdks[0].id,
		open: func(baseURL string, _ http.RoundTripper) (client, error) { return openFloor(baseURL, tuned(callers)) },
	}}, sdks...)
	var tables []table
	for _, protocol := range []string{plain, secure, http2} {
		loads, err := measureLoads(s, protocol, contenders)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", protocol, err)
		}
		tables = append(tables, loadTable(s, protocol, loads))
	}
	return tables, nil
}

// load is the result of a contender's rounds.
type load struct {
	name   string
	rounds []loadRound
}

type loadRound struct {
	perSecond float64
	opened    float64 // connections
}

// tooLong ends a contender's rounds. A contender that dials for nearly each call takes ten times as
// long as the others, and a second round would show the same.
const tooLong = 4 * time.Second

func measureLoads(s settings, protocol string, contenders []sdk) ([]load, error) {
	loads := make([]load, len(contenders))
	ended := make([]bool, len(contenders))
	for round := range s.loads {
		for turn := range contenders {
			i := (round + turn) % len(contenders)
			if ended[i] {
				continue
			}
			took, opened, err := callAtOnce(contenders[i], protocol, s.calls)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", contenders[i].name, err)
			}
			ended[i] = i > 0 && took > tooLong // the first runs in all rounds, because the others are compared with it
			loads[i].name = contenders[i].name
			loads[i].rounds = append(loads[i].rounds, loadRound{float64(s.calls) / took.Seconds(), float64(opened)})
		}
	}
	return loads, nil
}

// callAtOnce makes n simultaneous calls with a new client to a new service. Every second one is a
// create.
func callAtOnce(k sdk, protocol string, n int) (took time.Duration, opened int, err error) {
	server, err := startService(protocol)
	if err != nil {
		return 0, 0, err
	}
	c, err := k.open(server.url, nil)
	if err != nil {
		return 0, 0, err
	}
	calls := []func() error{checked(c.create, k.id), checked(c.get, k.id)}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for range callers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(n) && ctx.Err() == nil; i = next.Add(1) {
				if err := calls[i%2](); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	took = time.Since(start)
	opened, err = server.stop()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return took, opened, err
}
