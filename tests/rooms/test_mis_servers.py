from tests.servers import MariaDb, Postgres


class TestMariaDb:
    def test_gives_each_test_a_database_and_survives_a_kill(self, mariadb_server: MariaDb) -> None:
        url = mariadb_server.new_database()
        name = url.rsplit("/", maxsplit=1)[-1]
        mariadb_server.execute(f"CREATE TABLE {name}.t (a int)")

        mariadb_server.kill()
        mariadb_server.start()

        assert mariadb_server.url(name) == url
        assert mariadb_server.execute(f"SHOW TABLES IN {name}") == [("t",)]


class TestPostgres:
    def test_gives_each_test_a_database_and_survives_a_restart(
        self, postgres_server: Postgres
    ) -> None:
        name = postgres_server.new_database().rsplit("/", maxsplit=1)[-1]

        postgres_server.restart()

        assert (name,) in postgres_server.execute("SELECT datname FROM pg_database")
