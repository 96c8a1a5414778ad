"""Neutron's related rows by SELECT … IN instead of by subqueries.

What is read is the same. SQLAlchemy 1.4 writes the statement of each subquery anew, every
time, which takes most of the time that Neutron needs for a router. The property goes on
saying that it loads by subqueries: Neutron looks at that."""
from sqlalchemy.orm.relationships import RelationshipProperty

_init = RelationshipProperty.__init__


def _then_select_in(self, *args, **kwargs):
    _init(self, *args, **kwargs)
    if self.lazy == 'subquery':
        self.strategy_key = (('lazy', 'selectin'),)


RelationshipProperty.__init__ = _then_select_in
