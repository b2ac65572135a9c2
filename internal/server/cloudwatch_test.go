package server

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func metricsOf(s *Server) *cloudwatch.Client {
	return cloudwatch.New(cloudwatch.Options{
		Region: "us-east-2", BaseEndpoint: aws.String("http://" + s.Addresses().AWS), Retryer: onConnectionErrors(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

func TestSDKForGoPutsAndReadsMetrics(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off})
	c, now := metricsOf(s), time.Now().Add(-time.Minute)
	in := &cloudwatch.PutMetricDataInput{Namespace: aws.String("App")}
	for i := range 400 { // enough that the SDK compresses
		in.MetricData = append(in.MetricData, cwtypes.MetricDatum{
			MetricName: aws.String(fmt.Sprintf("Latency%03d", i%200)), Timestamp: &now, Value: aws.Float64(float64(i)), Unit: cwtypes.StandardUnitMilliseconds,
			Dimensions: []cwtypes.Dimension{{Name: aws.String("Host"), Value: aws.String("höst-1")}},
		})
	}
	if _, err := c.PutMetricData(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	_, err := c.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/Own"), MetricData: in.MetricData[:1]})
	if invalid := new(cwtypes.InvalidParameterValueException); !errors.As(err, &invalid) || invalid.ErrorMessage() != "The value AWS/ for parameter Namespace is invalid." {
		t.Errorf("got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c = metricsOf(open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off}))
	list, err := c.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("App")})
	if err != nil || len(list.Metrics) != 200 || *list.Metrics[0].Dimensions[0].Value != "höst-1" {
		t.Fatalf("got %+v, %v", list, err)
	}
	stats, err := c.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("App"), MetricName: aws.String("Latency007"), Dimensions: in.MetricData[0].Dimensions, Period: aws.Int32(60),
		StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Minute)), Statistics: []cwtypes.Statistic{"Sum", "SampleCount"},
	})
	if err != nil || len(stats.Datapoints) != 1 || *stats.Datapoints[0].Sum != 7+207 || *stats.Datapoints[0].SampleCount != 2 || !stats.Datapoints[0].Timestamp.Equal(now.Truncate(time.Minute)) {
		t.Errorf("got %+v, %v", stats, err)
	}
	metric := &cwtypes.Metric{Namespace: aws.String("App"), MetricName: aws.String("Latency007"), Dimensions: in.MetricData[0].Dimensions}
	data, err := c.GetMetricData(t.Context(), &cloudwatch.GetMetricDataInput{
		StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Minute)),
		MetricDataQueries: []cwtypes.MetricDataQuery{
			{Id: aws.String("m"), MetricStat: &cwtypes.MetricStat{Metric: metric, Period: aws.Int32(60), Stat: aws.String("Maximum")}},
			{Id: aws.String("e"), Expression: aws.String("m / 2")},
		},
	})
	if err != nil || len(data.MetricDataResults) != 2 || !slices.Equal(data.MetricDataResults[1].Values, []float64{103.5}) {
		t.Errorf("got %+v, %v", data, err)
	}
}

func TestCallsToTablesAndStreamsAppearAsMetrics(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off})
	createTable(t, tables(s), "orders")
	if _, err := tables(s).PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("orders"), Item: map[string]types.AttributeValue{"pk": text("a"), "sk": number("1")},
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil { // what was counted since the last minute is told
		t.Fatal(err)
	}
	c := metricsOf(open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off}))
	list, err := c.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Namespace: aws.String("AWS/DynamoDB"), MetricName: aws.String("SuccessfulRequestLatency")})
	if err != nil || len(list.Metrics) != 1 || len(list.Metrics[0].Dimensions) != 2 || *list.Metrics[0].Dimensions[0].Value != "PutItem" {
		t.Errorf("got %+v, %v", list, err)
	}
}
