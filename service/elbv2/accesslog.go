package elbv2

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/slipway-dev/slipway/service/s3"
)

const (
	// accessLogEvery is how often a file of the access log is published (Elastic
	// Load Balancing, "Access log files"), and accessLogBytes how large one gets,
	// compressed, before the next is begun.
	accessLogEvery = 5 * time.Minute
	accessLogBytes = 4 << 20
	accessLogQueue = 4096 // lines that wait to be compressed
)

// accessLogs collects the lines of load balancers and publishes them in S3.
// What was collected is lost when the engine is killed: "Elastic Load Balancing
// logs requests on a best-effort basis."
type accessLogs struct {
	service *Service
	lines   chan accessLine
	files   map[string]*accessFile // by load balancer's ARN; deliver's own
}

type accessLine struct {
	balancer string
	line     []byte
}

// accessFile is what has been logged of one load balancer since the last file.
type accessFile struct {
	buf bytes.Buffer
	zip *gzip.Writer
}

func newAccessLogs(s *Service) *accessLogs {
	return &accessLogs{service: s, lines: make(chan accessLine, accessLogQueue), files: map[string]*accessFile{}}
}

// write takes a line, and drops it rather than hold up requests.
func (a *accessLogs) write(balancer string, line []byte) {
	select {
	case a.lines <- accessLine{balancer, line}:
	default:
	}
}

// DeliverLogs publishes access logs until ctx ends, then what is left of them.
func (s *Service) DeliverLogs(ctx context.Context) error {
	if s.cfg.Deliver == nil {
		return nil
	}
	a, every := s.access, s.scaled(accessLogEvery)
	next := time.Now().Truncate(every).Add(every)
	timer := time.NewTimer(time.Until(next))
	defer timer.Stop()
	for {
		select {
		case l := <-a.lines:
			a.add(ctx, l)
		case <-timer.C:
			a.publish(ctx, next)
			next = time.Now().Truncate(every).Add(every)
			timer.Reset(time.Until(next))
		case <-ctx.Done():
			ctx := context.WithoutCancel(ctx)
			for {
				select {
				case l := <-a.lines:
					a.add(ctx, l)
					continue
				default:
				}
				a.publish(ctx, time.Now())
				return nil
			}
		}
	}
}

func (a *accessLogs) add(ctx context.Context, l accessLine) {
	f := a.files[l.balancer]
	if f == nil {
		f = &accessFile{}
		f.zip = gzip.NewWriter(&f.buf)
		a.files[l.balancer] = f
	}
	_, _ = f.zip.Write(l.line) // to memory
	if f.buf.Len() > accessLogBytes {
		delete(a.files, l.balancer)
		a.put(ctx, l.balancer, f, time.Now())
	}
}

// publish ends all files. end is that of the interval.
func (a *accessLogs) publish(ctx context.Context, end time.Time) {
	for balancer, f := range a.files {
		a.put(ctx, balancer, f, end)
	}
	clear(a.files)
}

func (a *accessLogs) put(ctx context.Context, balancer string, f *accessFile, end time.Time) {
	s := a.service
	b, err := LoadBalancers.Get(s.store.Snapshot(), balancer)
	if err != nil || b.attribute("access_logs.s3.bucket") == "" {
		return // it is gone, or nobody wants its log any more
	}
	if err = f.zip.Close(); err == nil {
		err = s.cfg.Deliver(ctx, b.delivery(b.logKey(end.UTC(), rand.Text()[:8]), "application/x-gzip", f.buf.Bytes()))
	}
	if err != nil {
		s.log.Warn("access log not delivered", "balancer", b.ARN, "bucket", b.attribute("access_logs.s3.bucket"), "err", err)
	}
}

func (b LoadBalancer) attribute(key string) string {
	return valueOf(balancerAttributes, b.Attributes, key)
}

// logFolder is where a load balancer's files are.
func (b LoadBalancer) logFolder() string {
	return path.Join(b.attribute("access_logs.s3.prefix"), "AWSLogs", b.Scope.Account)
}

// logKey names a file: of a load balancer's nodes, which are one here, the
// first. Source: Elastic Load Balancing, "Access log files".
func (b LoadBalancer) logKey(end time.Time, random string) string {
	ip := ""
	if len(b.Nodes) > 0 {
		ip = b.Nodes[0].IP
	}
	return fmt.Sprintf("%s/elasticloadbalancing/%s/%s/%s_elasticloadbalancing_%s_%s_%s_%s_%s.log.gz", b.logFolder(), b.Scope.Region, end.Format("2006/01/02"),
		b.Scope.Account, b.Scope.Region, strings.ReplaceAll(fullName(b.ARN, "loadbalancer/"), "/", "."), end.Format("20060102T1504Z"), ip, random)
}

func (b LoadBalancer) delivery(key, kind string, body []byte) s3.Delivery {
	d := s3.Delivery{
		Principals: []string{"logdelivery.elasticloadbalancing.amazonaws.com"}, Scope: b.Scope, Source: b.ARN,
		Bucket: b.attribute("access_logs.s3.bucket"), Key: key, Type: kind, Body: body,
	}
	if account := logAccounts[b.Scope.Region]; account != "" {
		d.Principals = append(d.Principals, "arn:aws:iam::"+account+":root")
	}
	return d
}

// checkLogs puts the test file that shows whether the bucket lets the load
// balancer, when logs are asked for. AWS answers one text for a bucket that is
// not there, is elsewhere, or whose policy says no.
func (s *Service) checkLogs(ctx context.Context, b LoadBalancer) error {
	bucket := b.attribute("access_logs.s3.bucket")
	switch {
	case b.attribute("access_logs.s3.enabled") != "true":
		return nil
	case bucket == "":
		return errConfiguration("The value of 'access_logs.s3.bucket' cannot be empty")
	case s.cfg.Deliver == nil:
		return nil
	}
	text := fmt.Sprintf("Enable AccessLog for ELB: %s at %s", b.Name, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	if err := s.cfg.Deliver(ctx, b.delivery(path.Join(b.logFolder(), "ELBAccessLogTestFile"), "text/plain", []byte(text))); err != nil {
		s.log.Info("a bucket refuses access logs", "balancer", b.ARN, "bucket", bucket, "err", err)
		return errConfiguration("Access Denied for bucket: %s. Please check S3bucket permission", bucket)
	}
	return nil
}

// logAccounts are the accounts of Elastic Load Balancing by region, which older
// policies of buckets name (Elastic Load Balancing, "Enable access logs").
var logAccounts = map[string]string{
	"us-east-1": "127311923021", "us-east-2": "033677994240", "us-west-1": "027434742980", "us-west-2": "797873946194",
	"af-south-1": "098369216593", "ap-east-1": "754344448648", "ap-northeast-1": "582318560864", "ap-northeast-2": "600734575887",
	"ap-northeast-3": "383597477331", "ap-south-1": "718504428378", "ap-southeast-1": "114774131450", "ap-southeast-2": "783225319266",
	"ap-southeast-3": "589379963580", "ca-central-1": "985666609251", "eu-central-1": "054676820928", "eu-north-1": "897822967062",
	"eu-south-1": "635631232127", "eu-west-1": "156460612806", "eu-west-2": "652711504416", "eu-west-3": "009996457667",
	"me-south-1": "076674570225", "sa-east-1": "507241528517",
}
