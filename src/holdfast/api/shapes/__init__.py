"""What goes over the wire: the requests and responses of every route, one module per subject.

Exact numbers are text (`Amount`), moments are RFC 3339 in UTC, names are those of the journal. The
same structs are what the ports of reading return (api.ports): there is no second model of an order.
Not here: routes, or where anything comes from.
"""
