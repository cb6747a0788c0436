"""What a person reads when the server starts."""

from tests.serving.conftest import RunningServer


def test_the_first_words_are_where_it_serves(server: RunningServer) -> None:
    assert "INFO serving.server: serving" in server.log[0]
