"""Users and groups of the engine."""

from shared.engine.errors import EngineFault, EngineRejected, NoAnswer, UserIdRefused
from shared.engine.rest import Rest, path_of
from shared.engine.values import storable


class Identity(Rest):
    """The user and group parts of the REST API; both calls may be repeated."""

    async def create_user(self, user_id: str, first_name: str, last_name: str, password: str) -> None:
        """Create a user; one that is there stays as it is, with its password.

        Raises:
            UserIdRefused: the engine's whitelist does not allow the id.
            EngineRejected: the password does not meet the engine's policy.
            EngineUnauthorized: our user may not create users, or the engine keeps none of its own (LDAP).
        """
        body = {
            "profile": {"id": user_id, "firstName": storable(first_name), "lastName": storable(last_name)},
            "credentials": {"password": password},
        }
        try:
            await self._call("POST", "/user/create", json=body)
        except EngineRejected as error:
            if "already exists" not in str(error):
                raise
        except EngineFault as error:
            if "is not a valid resource identifier" in str(error):
                raise UserIdRefused(user_id) from error
            raise

    async def add_to_group(self, user_id: str, group_id: str) -> None:
        """Make a user a member of a group; a member stays one.

        Raises:
            EngineFault: there is no such group or user.
        """
        try:
            await self._call("PUT", path_of("group", group_id, "members", user_id))
        except (EngineFault, NoAnswer):
            # The engine answers a second membership as if its database were broken, so ask.
            if not await self.is_member(user_id, group_id):
                raise

    async def is_member(self, user_id: str, group_id: str) -> bool:
        """Whether a user is in a group; False where there is no such user or group."""
        query = {"id": user_id, "memberOfGroup": group_id}
        return int((await self._call("GET", "/user/count", params=query))["count"]) > 0

    async def member_count(self, group_id: str) -> int:
        """How many users are in a group; 0 where there is no such group."""
        return int((await self._call("GET", "/user/count", params={"memberOfGroup": group_id}))["count"])

    async def tenants_of(self, user_id: str) -> frozenset[str]:
        """The tenants that a user belongs to, also by a group; only those that our own user may read."""
        query = {"userMember": user_id, "includingGroupsOfUser": "true"}
        return frozenset(each["id"] for each in await self._call("GET", "/tenant", params=query))
