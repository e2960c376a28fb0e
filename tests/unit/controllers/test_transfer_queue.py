"""The order of transfers: no tenant waits for all transfers of another."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from roadstead.controllers.transfers.transfer_queue import NOBODY, TransferQueue

TENANTS = ("a", "b", "c", "d")
WANTED = st.lists(st.frozensets(st.sampled_from(TENANTS), max_size=3), max_size=30)


def order(queue: TransferQueue) -> Iterator[str]:
    """The order of starts if each transfer ends before the next one."""
    while (uid := queue.take()) is not None:
        yield uid
        queue.drop(uid)


def test_a_tenant_with_one_model_does_not_wait_behind_another_with_many() -> None:
    queue = TransferQueue(1)
    for number in range(100):
        queue.put(f"many-{number}", ["a"])
    queue.put("one", ["b"])
    assert list(order(queue))[:2] == ["many-0", "one"]


def test_models_that_no_server_uses_are_a_tenant_of_their_own() -> None:
    queue = TransferQueue(1)
    for uid, tenants in (("1", []), ("2", []), ("3", ["a"])):
        queue.put(uid, tenants)
    assert list(order(queue)) == ["1", "3", "2"]


def test_a_start_counts_for_every_tenant_of_the_transfer() -> None:
    queue = TransferQueue(1)
    for uid, tenants in (("1", ["a", "b"]), ("2", ["b"]), ("3", ["a"]), ("4", ["c"])):
        queue.put(uid, tenants)
    assert list(order(queue)) == ["1", "4", "3", "2"]


def test_a_waiting_model_moves_to_the_tenant_of_its_server() -> None:
    queue = TransferQueue(1)
    for uid in ("1", "2", "3"):
        queue.put(uid, [])
    queue.put("3", ["a"])
    assert list(order(queue)) == ["1", "3", "2"]


@given(WANTED)
def test_each_of_n_waiting_tenants_gets_one_of_n_starts(
    wanted: list[frozenset[str]],
) -> None:
    queue = TransferQueue(1)
    tenants = {str(number): its or {NOBODY} for number, its in enumerate(wanted)}
    for uid, its in tenants.items():
        queue.put(uid, its)
    waiting, since = dict(tenants), dict.fromkeys((*TENANTS, NOBODY), 0)
    bound = len(set().union(*tenants.values()))
    for uid in order(queue):
        del waiting[uid]
        left = set().union(*waiting.values())
        since = {each: 0 if each in tenants[uid] else n + 1 for each, n in since.items()}
        assert all(since[each] < bound for each in left)
    assert not waiting


class Queue(RuleBasedStateMachine):
    """Transfers are queued, change tenants, start, end and are dropped, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = TransferQueue(3)
        self.waiting: list[str] = []
        self.running: list[str] = []
        self.count = 0

    @rule(tenants=st.frozensets(st.sampled_from(TENANTS), max_size=2))
    def put(self, tenants: frozenset[str]) -> None:
        self.count += 1
        self.waiting.append(str(self.count))
        self.queue.put(str(self.count), tenants)

    @precondition(lambda self: self.waiting or self.running)
    @rule(data=st.data(), tenants=st.frozensets(st.sampled_from(TENANTS), max_size=2))
    def put_again(self, data: st.DataObject, tenants: frozenset[str]) -> None:
        self.queue.put(data.draw(st.sampled_from(self.waiting + self.running)), tenants)

    @rule()
    def take(self) -> None:
        uid = self.queue.take()
        assert (uid is not None) == bool(self.waiting and len(self.running) < 3)
        if uid is not None:
            self.waiting.remove(uid)
            self.running.append(uid)

    @precondition(lambda self: self.waiting or self.running)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        uid = data.draw(st.sampled_from(self.waiting + self.running))
        self.queue.drop(uid)
        (self.waiting if uid in self.waiting else self.running).remove(uid)

    @invariant()
    def never_more_run_than_may(self) -> None:
        assert self.queue.running == len(self.running) <= 3

    @invariant()
    def none_is_lost(self) -> None:
        assert all(self.queue.waits(uid) for uid in self.waiting)
        assert not any(self.queue.waits(uid) for uid in self.running)


TestQueue = Queue.TestCase
