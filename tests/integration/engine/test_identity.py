import uuid

import pytest

from devstack.stack import Stack
from shared.engine.client import EngineClient
from shared.engine.errors import EngineFault, EngineUnauthorized, EngineUnavailable, UserIdRefused
from shared.errors import WorldError
from tests.support.bpmn import process
from tests.support.engine_work import Work, settings_of

PASSWORD = "a strong random password"


async def test_a_person_is_made_and_joined_once_however_often_they_come(engine: EngineClient) -> None:
    user_id, group_id = f"tg_user_{uuid.uuid4().int % 10**12}", f"g{uuid.uuid4().hex}"
    await engine._call("POST", "/group/create", json={"id": group_id, "name": group_id})
    for _ in range(2):
        await engine.create_user(user_id, "Ann\0 😀", "", PASSWORD)
        await engine.add_to_group(user_id, group_id)
    profile = await engine._call("GET", f"/user/{user_id}/profile")
    assert (profile["firstName"], profile["lastName"]) == ("Ann 😀", "")
    members = await engine._call("GET", "/user", params={"memberOfGroup": group_id})
    assert [member["id"] for member in members] == [user_id]


async def test_an_unknown_group_is_told(engine: EngineClient) -> None:
    user_id = f"tg_user_{uuid.uuid4().int % 10**12}"
    await engine.create_user(user_id, "Ann", "", PASSWORD)
    with pytest.raises(EngineFault, match="nogroup"):
        await engine.add_to_group(user_id, "nogroup")


async def test_an_id_outside_the_whitelist_is_refused_and_says_how_to_allow_it(engine: EngineClient) -> None:
    with pytest.raises(
        UserIdRefused, match="generalResourceWhitelistPattern and userResourceWhitelistPattern"
    ):
        await engine.create_user("tg.user.1", "Ann", "", PASSWORD)


async def test_an_engine_that_nobody_configured_refuses_our_ids(default_whitelist_stack: Stack) -> None:
    async with EngineClient.from_settings(settings_of(default_whitelist_stack.env)) as engine:
        with pytest.raises(UserIdRefused, match="tg_user_1"):
            await engine.create_user("tg_user_1", "Ann", "", PASSWORD)
        await engine.create_user("tguser1", "Ann", "", PASSWORD)


async def test_a_wrong_password_says_which_settings_to_check_and_is_sent_once(
    engine: EngineClient, engine_env: dict[str, str]
) -> None:
    user_id = f"tg_user_{uuid.uuid4().int % 10**12}"
    await engine.create_user(user_id, "Ann", "", PASSWORD)
    env = engine_env | {"ENGINE_USERNAME": user_id}
    async with EngineClient.from_settings(settings_of(env, password="wrong")) as stranger:
        for _ in range(3):
            with pytest.raises(EngineUnauthorized, match="ENGINE_USERNAME and ENGINE_PASSWORD") as caught:
                await stranger.version()
            assert caught.value.retry_after_s
    assert await engine.version()


async def test_an_address_that_is_not_the_rest_root_is_no_verdict_on_a_task(
    engine_env: dict[str, str],
) -> None:
    env = engine_env | {"ENGINE_URL": engine_env["ENGINE_URL"].replace("engine-rest", "nothing")}
    async with EngineClient.from_settings(settings_of(env)) as lost:
        with pytest.raises(EngineUnavailable, match="ENGINE_URL"):
            await lost.lock("t1", "w", 60)


async def test_a_user_of_another_tenant_may_not_touch_a_task(work: Work, engine_env: dict[str, str]) -> None:
    user_id = f"tg_user_{uuid.uuid4().int % 10**12}"
    await work.engine.create_user(user_id, "Ann", "", PASSWORD)
    await work.engine._call("POST", "/tenant/create", json={"id": work.key, "name": "T"})
    await work.engine.deploy(work.key, {"x.bpmn": process(work.key, [work.step("ask")])}, tenant_id=work.key)
    await work.engine.start_process(work.key, tenant_id=work.key)
    task = await work.fetch_one()
    env = engine_env | {"ENGINE_USERNAME": user_id}
    async with EngineClient.from_settings(settings_of(env, password=PASSWORD)) as stranger:
        assert await Work(stranger, work.key).fetch() == []
        assert await stranger.external_task(task.id) is None
        with pytest.raises(EngineUnauthorized, match="tenant") as caught:
            await stranger.lock(task.id, "w", 60)
    assert isinstance(caught.value, WorldError)
