import { Alert, Button, Group, List, Modal, Progress, ScrollArea, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { send } from '../api/client';
import { type Action, type Kind, type Operation, type Resource, resourcePath } from '../api/queries';
import { useOffers } from '../api/rights';
import { newKey } from '../form/key';
import { kindTitles, stateTitle, verbTitle } from '../i18n/words';
import { tray } from '../layout/ongoing';

export type BulkVerb = { name: string; action?: Action };

type Props = { kind: Kind; verb?: BulkVerb; chosen: Resource[]; onClose: () => void; onDone: () => void };

/** Bulk says what will happen to the chosen resources, and does it. */
export function Bulk({ kind, verb, chosen, onClose, onDone }: Props) {
  return (
    <Modal
      opened={verb !== undefined}
      onClose={onClose}
      title={verb && `${verbTitle(verb.name)} · ${kindTitles(kind)}`}
      size="lg"
    >
      {verb && <Confirm kind={kind} verb={verb} chosen={chosen} onClose={onClose} onDone={onDone} />}
    </Modal>
  );
}

function Confirm({ kind, verb, chosen, onClose, onDone }: Props & { verb: BulkVerb }) {
  const { t } = useTranslation();
  const offers = useOffers();
  // What is chosen stays so while rows change or go away behind the dialog.
  const [rows] = useState(chosen);
  const [done, setDone] = useState(0);
  const [running, setRunning] = useState(false);
  const [ended, setEnded] = useState(false);
  const [failed, setFailed] = useState<{ name: string; message: string }[]>([]);
  const fits = (r: Resource) =>
    offers(r.connection, kind.name, verb.name, r.labels) &&
    (!verb.action || verb.action.from.length === 0 || verb.action.from.includes(r.state as never));
  const able = rows.filter(fits);
  const left = rows.filter((r) => !fits(r));

  // One key for each opened dialog.
  const [key] = useState(newKey);
  const act = (r: Resource): Promise<Operation> => {
    const path = resourcePath(r, kind.plural);
    return verb.name === 'delete'
      ? send('DELETE', path, undefined, { key: `${key}-${r.uid}` })
      : send('POST', `${path}:${verb.name}`, {}, { key: `${key}-${r.uid}` });
  };
  const refused = (name: string, e: unknown) => ({ name, message: e instanceof Error ? e.message : String(e) });
  /** together asks for all by one request, which shows in the tray and can be cancelled there. */
  const together = async () => {
    const items = able.map(({ connection, name }) => ({ connection, name }));
    try {
      tray.start(await send<Operation>('POST', `/v1/${kind.plural}:${verb.name}`, { items }, { key }));
    } catch (e) {
      return [refused('', e)];
    }
    return [];
  };
  /** oneByOne asks for a single change, and for what ends at once. */
  const oneByOne = async () => {
    const wrong: typeof failed = [];
    for (const r of able) {
      try {
        tray.start(await act(r));
      } catch (e) {
        wrong.push(refused(r.name, e));
      }
      setDone((n) => n + 1);
    }
    return wrong;
  };
  const run = async () => {
    setRunning(true);
    const wrong = await (verb.name === 'release' || able.length === 1 ? oneByOne() : together());
    setRunning(false);
    setEnded(true);
    setFailed(wrong);
    onDone();
    if (wrong.length === 0) onClose();
  };
  const names = (list: Resource[]) => (
    <ScrollArea.Autosize mah={180}>
      <List size="sm">
        {list.map((r) => (
          <List.Item key={r.uid}>
            {r.name}{' '}
            <Text span size="xs" c="dimmed">
              {r.connection} · {stateTitle(r.state)}
            </Text>
          </List.Item>
        ))}
      </List>
    </ScrollArea.Autosize>
  );
  return (
    <Stack gap="sm">
      {able.length > 0 && <Text size="sm">{t('bulk.will', { verb: verbTitle(verb.name), count: able.length })}</Text>}
      {names(able)}
      {verb.name === 'delete' && <Text size="sm">{t('bulk.deleteDoc')}</Text>}
      {verb.name === 'release' && <Text size="sm">{t('bulk.releaseDoc')}</Text>}
      {verb.action && <Text size="sm">{verb.action.doc}</Text>}
      {left.length > 0 && (
        <Alert color="gray" title={t('bulk.left', { count: left.length })}>
          {names(left)}
        </Alert>
      )}
      {running && <Progress value={(100 * done) / able.length} aria-label={t('common.loading')} />}
      {failed.length > 0 && (
        <Alert color="red" title={t('bulk.failed', { count: failed.length })}>
          <ScrollArea.Autosize mah={200}>
            {failed.map((f) => (
              <Text key={f.name} size="sm">
                <b>{f.name}</b> {f.message}
              </Text>
            ))}
          </ScrollArea.Autosize>
        </Alert>
      )}
      <Group justify="flex-end">
        <Button variant="default" onClick={onClose}>
          {ended ? t('common.close') : t('common.cancel')}
        </Button>
        {!ended && (
          <Button
            color={verb.name === 'delete' ? 'red' : undefined}
            disabled={able.length === 0}
            loading={running}
            onClick={() => void run()}
            data-autofocus
          >
            {t('bulk.do', { verb: verbTitle(verb.name), count: able.length })}
          </Button>
        )}
      </Group>
    </Stack>
  );
}
