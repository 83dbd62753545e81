"""From the engine to a pending reply: fetching, parking, leases, withdrawal, and automated topics."""
