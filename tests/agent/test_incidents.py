"""Incidents: one that goes on is looked at event by event, and shows what one shows that is looked at once."""

from support.simulated import played
from switchover.agent.history import incidents
from switchover.agent.history.incidents import Incident, is_served, summary

DAY = ("0 fail SIP_Server_1", "1000 start SIP_Server_1", "2000 lose host2", "5000 return host2", "7000 switch host2")


def test_each_event_is_looked_at_once_however_often_its_incident_is_shown(tmp_path, monkeypatch):
    """A script that fails is tried again for days, and the agent's loop makes a summary after every event."""
    looks = []
    monkeypatch.setattr(incidents, "is_served", lambda *state: looks.append(state) or is_served(*state))
    for whole in played(tmp_path, "sip", *DAY).incidents:
        growing = Incident([])
        for each in whole.handled:
            growing.handled.append(each)
            assert summary(growing) == summary(Incident(list(growing.handled)))
        assert growing.phases == whole.phases
        looks.clear()
        assert summary(growing) == summary(growing)
        assert looks == []
        summary(Incident(list(growing.handled)))
        assert len(looks) >= len(growing.handled)
