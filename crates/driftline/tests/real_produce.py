"""Sends predictions as a service in Python would: confluent-kafka with its own Avro serialiser.

    python real_produce.py BROKERS TOPIC REGISTRY_URL SCHEMA_FILE < one JSON object a line

Each line is a prediction in the canonical form; the serialiser registers the schema. Prints how many were delivered.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def main() -> None:
    brokers, topic, registry, schema_file = sys.argv[1:]
    with open(schema_file, encoding="utf-8") as file:
        schema = file.read()
    serialize = AvroSerializer(SchemaRegistryClient({"url": registry}), schema)
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 50})
    failed, sent = [], 0
    for line in sys.stdin:
        event = json.loads(line)
        event["predicted_at"] = EPOCH + timedelta(microseconds=event["predicted_at"])
        value = serialize(event, SerializationContext(topic, MessageField.VALUE))
        producer.produce(
            topic,
            key=event["prediction_id"],
            value=value,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        producer.poll(0)
        sent += 1
    producer.flush(60)
    if failed or len(producer):
        sys.exit(f"{len(failed)} failed, {len(producer)} are still queued: {failed[:1]}")
    print(sent)


if __name__ == "__main__":
    main()
