package gosdk

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// An event of an application's own goes by a rule to a log group.
func TestEventsThroughTheSDK(t *testing.T) {
	cfg, ctx := config("200000000003", "eu-west-1"), t.Context()
	c, lines := eventbridge.NewFromConfig(cfg), cloudwatchlogs.NewFromConfig(cfg)
	const group = "/aws/events/orders"
	do[cloudwatchlogs.CreateLogGroupOutput](t)(lines.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String(group)}))
	do[eventbridge.PutRuleOutput](t)(c.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("orders"), EventPattern: aws.String(`{"source":["shop"],"detail":{"amount":[{"numeric":[">",10]}]}}`)}))
	put := do[eventbridge.PutTargetsOutput](t)(c.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: aws.String("orders"), Targets: []types.Target{
		{Id: aws.String("log"), Arn: aws.String("arn:aws:logs:eu-west-1:200000000003:log-group:" + group)},
	}}))
	if put.FailedEntryCount != 0 {
		t.Errorf("%+v", put)
	}
	sent := do[eventbridge.PutEventsOutput](t)(c.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: aws.String("shop"), DetailType: aws.String("order"), Detail: aws.String(`{"amount":11}`)},
		{Source: aws.String("shop"), DetailType: aws.String("order"), Detail: aws.String(`{"amount":9}`)},
		{Source: aws.String("aws.shop"), DetailType: aws.String("order"), Detail: aws.String(`{}`)},
	}}))
	if sent.FailedEntryCount != 1 || aws.ToString(sent.Entries[2].ErrorCode) == "" {
		t.Errorf("%+v", sent)
	}
	soon(t, "the event is in the log group", func() (bool, error) {
		out, err := lines.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group)})
		return err == nil && len(out.Events) == 1 && strings.Contains(*out.Events[0].Message, *sent.Entries[0].EventId), err
	})
	_, err := c.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: aws.String("orders")})
	refuses(t, err, "ValidationException", nil)
	_, err = c.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: aws.String("none")})
	refuses(t, err, "ResourceNotFoundException", new(*types.ResourceNotFoundException))
	_, err = c.PutRule(ctx, &eventbridge.PutRuleInput{Name: aws.String("bad"), EventPattern: aws.String("{")})
	refuses(t, err, "InvalidEventPatternException", new(*types.InvalidEventPatternException))
}
