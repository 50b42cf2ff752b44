"""Topics: what is published goes to every subscription that wants it, within the transaction of the publish or by
durable work. AWS name: sns."""
