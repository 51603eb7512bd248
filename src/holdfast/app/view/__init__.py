"""The read model: what people and programs look at, kept beside trading and never in its way.

Lives here: journals folded as they grow, prices, the cluster, the tables of reports, and what is
told of all this at once to everybody who listens. It writes nothing that trading reads, and holds
no lock that a writer waits for. Not here: HTTP (api), who may see what (platform.identity).
"""
