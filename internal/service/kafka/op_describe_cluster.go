package kafka

import "millrace/internal/api/kafkaapi"

// Kinds of endpoints that a client asks for.
const (
	endpointBrokers     = 1
	endpointControllers = 2
)

// DescribeCluster: the cluster's id and its brokers.
//
// Behaviour
//   - the broker's address is that of the listener that the client came in by
//   - controllers cannot be asked for here, since this is a broker
//
// Errors: MISMATCHED_ENDPOINT_TYPE for controllers, UNSUPPORTED_ENDPOINT_TYPE for others
// Source: DescribeClusterRequest.json of Kafka 4.3.1, KIP-919, KIP-1073
func (b *Broker) describeCluster(c *Call, req *kafkaapi.DescribeClusterRequest) *kafkaapi.DescribeClusterResponse {
	res := kafkaapi.NewDescribeClusterResponse()
	res.EndpointType = req.EndpointType
	if c.Version >= 1 && req.EndpointType != endpointBrokers {
		res.ErrorCode = kafkaapi.UnsupportedEndpointType
		text := "Unsupported endpoint type."
		if req.EndpointType == endpointControllers {
			res.ErrorCode = kafkaapi.MismatchedEndpointType
			text = "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
		}
		res.ErrorMessage = &text
		return &res
	}
	res.ClusterID, res.ControllerID = b.cluster, b.node
	res.Brokers = []kafkaapi.DescribeClusterResponseDescribeClusterBroker{
		{BrokerID: b.node, Host: c.Listener.Host, Port: c.Listener.Port, Rack: b.rack()},
	}
	if req.IncludeClusterAuthorizedOperations {
		res.ClusterAuthorizedOperations = clusterOperations
	}
	return &res
}
