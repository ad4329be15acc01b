package cloudwatch

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/api/cloudwatchapi"
	"github.com/slipway-dev/slipway/kernel/cfn"
	"github.com/slipway-dev/slipway/kernel/store"
	"github.com/slipway-dev/slipway/kernel/tagset"
)

// dashboardProps is AWS::CloudWatch::Dashboard.
type dashboardProps struct {
	DashboardName string `cfn:"id,createOnly"`
	DashboardBody string `cfn:"required"`
}

type dashboardResource struct{ s *Service }

var _ cfn.Updater[dashboardProps] = dashboardResource{}

func (h dashboardResource) Create(ctx context.Context, p *dashboardProps) error {
	req, _ := cfn.From(ctx)
	name := p.DashboardName
	if name == "" {
		name = req.Name(255)
	}
	d, err := Dashboards.Get(h.s.store.Snapshot(), dashboardKey(scopeOf(ctx), name))
	if err == nil && !req.Owns(d.Tags) {
		return errValue("%s already exists", name)
	}
	return h.put(ctx, p, name)
}

func (h dashboardResource) put(ctx context.Context, p *dashboardProps, name string) error {
	req, _ := cfn.From(ctx)
	_, err := h.s.PutDashboard(ctx, &cloudwatchapi.PutDashboardInput{
		DashboardName: new(name), DashboardBody: new(p.DashboardBody), Tags: tagset.List[cloudwatchapi.Tag](req.AllTags(nil)),
	})
	if err == nil {
		p.DashboardName = name
	}
	return err
}

func (h dashboardResource) Read(ctx context.Context, p *dashboardProps) error {
	d, err := Dashboards.Get(h.s.store.Snapshot(), dashboardKey(scopeOf(ctx), p.DashboardName))
	if err != nil {
		return store.ErrNotFound
	}
	p.DashboardBody = d.Body
	return nil
}

func (h dashboardResource) Update(ctx context.Context, _, after *dashboardProps) error {
	return h.put(ctx, after, after.DashboardName)
}

func (h dashboardResource) Delete(ctx context.Context, p *dashboardProps) error {
	_, err := h.s.DeleteDashboards(ctx, &cloudwatchapi.DeleteDashboardsInput{DashboardNames: []string{p.DashboardName}})
	if errors.Is(err, errNoDashboard(p.DashboardName)) {
		return nil
	}
	return err
}
