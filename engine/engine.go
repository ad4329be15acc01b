// Package engine is the composition root: it joins the store, the node and
// every AWS service into the one process that answers the API.
//
// It runs inside the sandbox (node/sandbox). It may be killed at any time:
// what it knows is in the store, what it runs is kept by init, and the next
// engine process goes on from there.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/slipway-dev/slipway/kernel/arn"
	"github.com/slipway-dev/slipway/kernel/awsapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/loop"
	"github.com/slipway-dev/slipway/kernel/seal"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/node/agent"
	"github.com/slipway-dev/slipway/node/sandbox"
	"github.com/slipway-dev/slipway/service/applicationautoscaling"
	"github.com/slipway-dev/slipway/service/appmesh"
	"github.com/slipway-dev/slipway/service/cloudformation"
	"github.com/slipway-dev/slipway/service/cloudwatch"
	"github.com/slipway-dev/slipway/service/cloudwatch/collect"
	"github.com/slipway-dev/slipway/service/ec2"
	"github.com/slipway-dev/slipway/service/ecr"
	"github.com/slipway-dev/slipway/service/ecs"
	"github.com/slipway-dev/slipway/service/elbv2"
	"github.com/slipway-dev/slipway/service/eventbridge"
	"github.com/slipway-dev/slipway/service/iam"
	"github.com/slipway-dev/slipway/service/logs"
	"github.com/slipway-dev/slipway/service/s3"
	"github.com/slipway-dev/slipway/service/servicediscovery"
	"github.com/slipway-dev/slipway/service/ssm"
	"github.com/slipway-dev/slipway/service/sts"
	tlogs "github.com/slipway-dev/slipway/telemetry/logs"
	"github.com/slipway-dev/slipway/telemetry/metrics"
)

// closeTimeout bounds the orderly end of the load balancers: the next engine
// process waits for it.
const closeTimeout = 2 * time.Second

// Engine is everything, joined.
type Engine struct {
	set   Settings
	log   *slog.Logger
	host  *sandbox.Host
	store *store.Store
	keys  *seal.Keyring // of all that is encrypted in the state directory
	node  *node
	state Health

	mux      *awsapi.Mux
	apis     []*awsapi.Service
	loops    []loop.Loop
	runners  []func(context.Context) error
	closers  []func() error
	objects  *s3.Service
	readings *metrics.Store
	ecr      *ecr.Service
	ecs      *ecs.Service
	ssm      *ssm.Service
	sessions *sessions
	meshes   *meshes
	// callbacks answers what stacks wait for: signals of tasks and of the host.
	callbacks http.Handler
}

// service is what every AWS service offers to the engine.
type service interface {
	API() *awsapi.Service
	Resources() []cfn.Type
	Loops() []loop.Loop
}

// Run is the engine process: it answers until ctx ends or the sandbox goes.
func Run(ctx context.Context, version string) error {
	debug.SetGCPercent(gcPercent)
	host, err := sandbox.Connect()
	if err != nil {
		return err
	}
	set, err := LoadSettings(host.StateDir())
	if err != nil {
		return err
	}
	set = set.Defaults(!host.Rootless())
	listener, err := host.Listen(ctx, set.API)
	if err != nil {
		return fmt.Errorf("listen on %s for the API: %w; choose another address with: slipway engine start --api HOST:PORT", set.API, err)
	}
	set = set.listening(listener.Addr())
	level := slog.LevelInfo
	if set.Debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	e, err := open(ctx, host, set, version, log)
	if err != nil {
		return err
	}
	defer e.close()
	return e.run(ctx, listener)
}

// open joins everything; nothing runs yet.
func open(ctx context.Context, host *sandbox.Host, set Settings, version string, log *slog.Logger) (*Engine, error) {
	limits, _ := host.Limits()
	e := &Engine{set: set, log: log, host: host, runners: []func(context.Context) error{trim}, state: Health{
		Status: "ok", Version: version, Rootless: host.Rootless(), Limits: limits, Runtime: "runc", StartedAt: time.Now().UTC(), AnyAuth: set.AnyAuth,
	}}
	if set.Simulated {
		e.state.Runtime, e.state.Limits = "simulated", false
	}
	if err := e.openAll(ctx); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// openAll opens the store and everything above it.
func (e *Engine) openAll(ctx context.Context) (err error) {
	if e.store, err = store.Open(store.Config{Path: filepath.Join(e.host.StateDir(), storeFile), NoSync: e.set.Ephemeral}, tables()...); err != nil {
		return err
	}
	e.closers = append(e.closers, e.store.Close)
	if e.keys, err = seal.OpenKeyring(filepath.Join(e.host.StateDir(), keysFile)); err != nil {
		return fmt.Errorf("open the master keys: %w", err)
	}
	if _, err := ensureRoot(e.store, e.set, e.host.StateDir()); err != nil {
		return err
	}
	return e.openServices(ctx)
}

// tables are all tables of the store.
func tables() []store.Schema {
	var all []store.Schema
	for _, t := range [][]store.Schema{
		agent.Tables(), iam.Tables(), sts.Tables(), s3.Tables(), ssm.Tables(), ec2.Tables(), logs.Tables(), ecr.Tables(),
		servicediscovery.Tables(), appmesh.Tables(), elbv2.Tables(), ecs.Tables(), cloudwatch.Tables(), applicationautoscaling.Tables(), eventbridge.Tables(), cloudformation.Tables(),
	} {
		all = append(all, t...)
	}
	return all
}

// scope is where unsigned and undirected things belong.
func (e *Engine) scope() arn.Scope { return arn.Scope{Account: e.set.Account, Region: e.set.Region} }

// openServices makes the node and every service, lower ones first.
func (e *Engine) openServices(ctx context.Context) (err error) {
	dir := func(name string) string { return filepath.Join(e.host.StateDir(), name) }
	e.ecr, err = ecr.New(ecr.Config{
		Store: e.store, Log: e.log, Dir: dir("registry"), Host: clientAddress(e.set.API), DefaultScope: e.scope(), AnyAuth: e.set.AnyAuth,
	})
	if err != nil {
		return err
	}
	lines, err := tlogs.Open(tlogs.Config{Dir: dir("logs"), Log: e.log})
	if err != nil {
		return err
	}
	e.closers = append(e.closers, lines.Close)
	logService := logs.New(logs.Config{Store: e.store, Events: lines, Log: e.log})
	e.ssm = ssm.New(ssm.Config{Store: e.store, Log: e.log, Keys: e.keys, Actions: e.automations(), AnyAuth: e.set.AnyAuth})
	if err := e.openMeshes(); err != nil {
		return err
	}
	if err := e.openNode(logService); err != nil {
		return err
	}
	key, err := secretFile(dir("cookie.key"))
	if err != nil {
		return err
	}
	balancers, err := elbv2.New(elbv2.Config{
		Store: e.store, Log: e.log, Speed: e.set.Speed, Sockets: e.host, Network: e.node.network,
		Host: e.set.HostAddress, HostPort: e.set.hostPort, Deliver: e.deliver, CookieKey: key, Fronted: e.meshes.fronted,
	})
	if err != nil {
		return err
	}
	e.runners = append(e.runners, balancers.DeliverLogs)
	e.closers = append(e.closers, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		return balancers.Close(ctx)
	})
	e.sessions = &sessions{endpoint: "ws://" + clientAddress(e.set.API), exec: e.node.agent.Exec, waiting: map[string]session{}}

	readings, err := metrics.Open(metrics.Config{Path: dir(metricsFile), NoSync: e.set.Ephemeral})
	if err != nil {
		return err
	}
	e.readings = readings
	e.closers = append(e.closers, readings.Close)
	e.runners = append(e.runners, collect.New(collect.Config{
		Store: e.store, Metrics: readings, Tasks: e.node.agent, Balancers: balancers.Proxy(), Sidecars: e.meshes, Log: e.log, Speed: e.set.Speed,
	}).Run)

	e.objects, err = s3.New(s3.Config{Store: e.store, Log: e.log, Dir: dir("objects"), Keys: e.keys, AnyAuth: e.set.AnyAuth, Speed: e.set.Speed})
	if err != nil {
		return err
	}
	e.ecs = ecs.New(ecs.Config{Store: e.store, Log: e.log, Speed: e.set.Speed, Capacity: e.set.capacity(), Sessions: e.sessions})
	services := []service{
		iam.New(iam.Config{Store: e.store, Log: e.log}),
		sts.New(sts.Config{Store: e.store, Log: e.log}),
		e.objects,
		e.ssm,
		ec2.New(ec2.Config{Store: e.store, Log: e.log, Network: e.node.network}),
		logService,
		e.ecr,
		servicediscovery.New(servicediscovery.Config{Store: e.store, Log: e.log}),
		appmesh.New(appmesh.Config{Store: e.store, Log: e.log, StrictQuotas: e.set.StrictQuotas}),
		balancers,
		e.ecs,
		eventbridge.New(eventbridge.Config{Store: e.store, Log: e.log, Lines: logService, Tasks: e.ecs, Automations: e.ssm, AnyAuth: e.set.AnyAuth}),
	}
	services = append(services, e.monitoring(readings)...)
	var types []cfn.Type
	for _, s := range services {
		types = append(types, s.Resources()...)
	}
	stacks := cloudformation.New(cloudformation.Config{
		Store: e.store, Log: e.log, Types: types, StrictQuotas: e.set.StrictQuotas, Endpoint: "http://" + clientAddress(e.set.API),
		Parameter: templateParameter(e.store, e.ssm), Resolve: dynamicReference(e.store, e.ssm),
		Transport: &http.Transport{DialContext: e.host.Dial, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
		Fetch:     templateAt(e.objects),
	})
	e.callbacks = stacks.Callbacks()
	services = append(services, stacks)
	for _, s := range services {
		e.apis = append(e.apis, s.API())
		e.loops = append(e.loops, s.Loops()...)
	}
	e.mux = awsapi.NewMux(awsapi.Config{
		Credentials: credentials(e.store), DefaultScope: e.scope(), AnyAuth: e.set.AnyAuth, Log: e.log, Observe: e.observer(),
	}, e.apis...)
	return nil
}

// run starts every loop, answers the API, and says that the engine is ready.
// One part that ends with an error ends all.
func (e *Engine) run(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := e.dropListeners(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range e.loops {
		group.Go(func() error { return l.Run(ctx, e.store, e.log) })
	}
	for _, r := range e.runners {
		group.Go(func() error { return r(ctx) })
	}
	server := e.server()
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("serve the API: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-e.host.Gone():
		}
		cancel()
		return server.Close()
	})
	if e.set.AnyAuth {
		e.log.Warn("any credentials are taken as root's: --auth any is for test suites on this machine only")
	}
	if err := e.host.Ready(ctx); err != nil {
		return err
	}
	e.log.Info("engine is ready", "api", e.set.API, "runtime", e.state.Runtime, "rootless", e.state.Rootless)
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// dropListeners closes the host's sockets that an engine process before this
// one had and nobody needs any more.
func (e *Engine) dropListeners(ctx context.Context) error {
	kept, err := e.host.Listeners(ctx)
	if err != nil {
		return err
	}
	needed := map[string]bool{e.set.requested: true}
	for l := range elbv2.Listeners.List(e.store.Snapshot(), "") {
		needed[net.JoinHostPort(e.set.HostAddress, strconv.Itoa(e.set.hostPort(l.Port)))] = true
	}
	for _, addr := range kept {
		if !needed[addr] {
			if err := e.host.Unlisten(ctx, addr); err != nil {
				return err
			}
		}
	}
	return nil
}

// close closes what open opened, the last first.
func (e *Engine) close() {
	for i := len(e.closers) - 1; i >= 0; i-- {
		if err := e.closers[i](); err != nil {
			e.log.Error("close", "err", err)
		}
	}
}
